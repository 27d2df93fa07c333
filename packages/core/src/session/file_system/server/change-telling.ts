import type { BackendNode, FileSystemBackend } from './backend.ts';
import type { OpenNode } from './handle-table.ts';
import type { NodeWatches } from './node-watches.ts';

/** How one session tells the watchers of a file system of what it changes. */
export class ChangeTelling<Node extends BackendNode> {
  readonly #backend: FileSystemBackend<Node>;
  readonly #watches: NodeWatches;

  constructor(backend: FileSystemBackend<Node>, watches: NodeWatches) {
    this.#backend = backend;
    this.#watches = watches;
  }

  /** The content of a node has changed. The caller holds it. */
  changed(node: Node): void {
    this.#watches.changed(node);
    this.attributesChanged(node);
  }

  /** Nothing but its attributes: only those hear of it who hear of all changes. */
  attributesChanged(node: Node): void {
    if (this.#watches.observed) void this.#tellObservers(node);
  }

  /** Tells of a file that was changed through this handle, if it was. */
  modified(open: OpenNode<Node>): void {
    if (!open.modified) return;
    open.modified = false;
    this.changed(open.node);
  }

  /**
   * Takes the name away from what has it, or gives it to something else, by `change`. Then tells
   * the watchers of the directory, and of what had the name; nobody looks for that if nobody
   * watches.
   */
  async around(directory: Node, name: string, change: () => Promise<void>): Promise<void> {
    const before = this.#watches.any
      ? await this.#backend.lookup(directory, name).catch(() => undefined)
      : undefined;
    try {
      await change();
      this.changed(directory);
      if (before) this.changed(before);
    } finally {
      if (before) await this.#backend.release(before);
    }
  }

  async #tellObservers(node: Node): Promise<void> {
    this.#backend.hold(node);
    let inode = 0;
    try {
      inode = (await this.#backend.status(node)).inode;
    } catch {
      // What cannot be looked at may be any node.
    }
    this.#watches.changedInode(inode, this);
    await this.#backend.release(node).catch(() => undefined);
  }
}
