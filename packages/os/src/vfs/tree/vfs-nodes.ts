/** The nodes of the tree that somebody holds: one object per node. */
import type { NodeType } from '@ginit/core/file_system';
import type { Part, PartNode } from '../part.ts';
import { type Component, releaseAll, typeOf } from './layers.ts';
import { VirtualDirectory } from './virtual-directory.ts';

/** A node of the tree. It is known by its uppermost component. */
export class VfsNode {
  readonly type: NodeType;
  readonly first: Component;
  /** What lies below it, of a directory; may be others at the next look. */
  others: readonly Component[] = [];
  holds = 1;

  constructor(first: Component) {
    this.type = typeOf(first);
    this.first = first;
  }

  get components(): readonly Component[] {
    return [this.first, ...this.others];
  }

  /** Whether a node of a part is seen here. */
  shows(node: PartNode): boolean {
    return this.components.some((component) =>
      component instanceof VirtualDirectory
        ? component.layers.some((layer) => layer.kind === 'part' && layer.part.root === node)
        : component === node,
    );
  }

  /** Whether anything of a part is seen here. */
  belongsTo(part: Part): boolean {
    return this.components.some((component) =>
      component instanceof VirtualDirectory
        ? component.layers.some((layer) => layer.kind === 'part' && layer.part === part)
        : component.part === part,
    );
  }
}

/** The nodes that are held. */
export class VfsNodes {
  readonly #byFirst = new Map<Component, VfsNode>();

  get all(): Iterable<VfsNode> {
    return this.#byFirst.values();
  }

  /** The node of the root, which stays. */
  root(top: VirtualDirectory): VfsNode {
    const node = new VfsNode(top);
    this.#byFirst.set(top, node);
    return node;
  }

  /** The nodes in which a part is seen. */
  of(part: Part): VfsNode[] {
    return [...this.#byFirst.values()].filter((node) => node.belongsTo(part));
  }

  hold(node: VfsNode): void {
    node.holds++;
  }

  /** The node with these components, held. Takes over their holds. */
  async holding(first: Component, others: readonly Component[]): Promise<VfsNode> {
    const known = this.#byFirst.get(first);
    if (!known) {
      const node = new VfsNode(first);
      node.others = others;
      this.#byFirst.set(first, node);
      return node;
    }
    known.holds++;
    const before = known.others;
    known.others = others;
    await releaseAll([first, ...before]);
    return known;
  }

  async release(node: VfsNode): Promise<void> {
    node.holds--;
    if (node.holds > 0) return;
    this.#byFirst.delete(node.first);
    await releaseAll(node.components);
  }
}
