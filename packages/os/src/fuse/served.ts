import type { FileSystemSpace, NodesClient, NodeStatus } from '@ginit/core/file_system';
import { ERRNO, Refused } from './errno.ts';
import type { Invalidation } from './invalidation.ts';
import type { NodeHandles } from './node-handles.ts';
import type { Node, Nodes } from './nodes.ts';
import type { OpenThings } from './open-things.ts';
import type { Appearance } from './protocol/attributes.ts';

/** The longest time for which a name or attributes are good: changes are told of. */
const VALID_SECONDS = 24 * 60 * 60;

/** What the operations of one mount work on. */
export interface ServedParts {
  readonly client: NodesClient;
  readonly space: FileSystemSpace;
  readonly nodes: Nodes;
  readonly handles: NodeHandles;
  readonly open: OpenThings;
  readonly invalidation: Invalidation;
  readonly appearance: Appearance;
  /** The most that one WRITE or READ carries. */
  readonly transferBytesMax: number;
}

/** The file system as it is served, and steps that several operations share. */
export class Served {
  readonly client: NodesClient;
  readonly space: FileSystemSpace;
  readonly nodes: Nodes;
  readonly handles: NodeHandles;
  readonly open: OpenThings;
  readonly appearance: Appearance;
  readonly transferBytesMax: number;
  readonly #invalidation: Invalidation;
  /** Counts what this mount has changed: a status that was read before may be old. */
  changes = 0;

  constructor(parts: ServedParts) {
    this.client = parts.client;
    this.space = parts.space;
    this.nodes = parts.nodes;
    this.handles = parts.handles;
    this.open = parts.open;
    this.appearance = parts.appearance;
    this.transferBytesMax = parts.transferBytesMax;
    this.#invalidation = parts.invalidation;
  }

  /**
   * Says how long what is found from now on may be kept: not at all if somebody else has changed
   * something before it is told, as it may be what was before.
   */
  validity(): () => { readonly seconds: number; readonly appearance: Appearance } {
    const before = this.#invalidation.heard;
    const { appearance } = this;
    return () => ({ appearance, seconds: this.#invalidation.heard === before ? VALID_SECONDS : 0 });
  }

  /** Lends the handle of a node. */
  using<Result>(node: Node, use: (handle: number) => Promise<Result>): Promise<Result> {
    return this.handles.using(node, use);
  }

  /** The status of a node now. A ghost without a handle has the one that it had. */
  async status(node: Node): Promise<NodeStatus> {
    if (node.isGhost && !this.handles.has(node)) return node.status;
    const { place } = node;
    if (place === undefined || this.handles.has(node))
      node.status = await this.using(node, (handle) => this.client.status(handle));
    else {
      const status = await this.using(place.parent, (parent) => this.client.stat(parent, place.name));
      if (status.inode !== node.status.inode || status.type !== node.status.type)
        throw new Refused(ERRNO.ESTALE);
      node.status = status;
    }
    return node.status;
  }
}

/** A position or length that is exact. Throws EFBIG. */
export function exact(value: number): number {
  if (!Number.isSafeInteger(value)) throw new Refused(ERRNO.EFBIG);
  return value;
}
