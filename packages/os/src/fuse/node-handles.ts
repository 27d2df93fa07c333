import type { NodesClient } from '@ginit/core/file_system';
import { ERRNO, Refused } from './errno.ts';
import type { Node } from './nodes.ts';

interface Held {
  /** The session's handle, or the looking for it. */
  readonly handle: Promise<number>;
  /** Operations that use it just now. */
  users: number;
  /** Whether it is closed as soon as nobody uses it. */
  dropped: boolean;
}

/**
 * The handles of nodes: those used last, and of those that could not be found again any more. A
 * node that has none is looked up at its place, and must be what it was.
 */
export class NodeHandles {
  readonly #client: NodesClient;
  readonly #root: Node;
  readonly #most: number;
  /** In the order of their use, the oldest first. */
  readonly #held = new Map<Node, Held>();

  /** `most` handles are kept beside those that must be. */
  constructor(client: NodesClient, root: Node, rootHandle: number, most: number) {
    this.#client = client;
    this.#root = root;
    this.#most = most;
    this.#held.set(root, { handle: Promise.resolve(rootHandle), users: 1, dropped: false });
  }

  get size(): number {
    return this.#held.size;
  }

  has(node: Node): boolean {
    return this.#held.has(node);
  }

  /** Lends the handle of a node to `use`. Rejects with ESTALE if it cannot be found again. */
  async using<Result>(node: Node, use: (handle: number) => Promise<Result>): Promise<Result> {
    let held = this.#held.get(node);
    if (held === undefined) held = this.#look(node);
    else if (node !== this.#root) this.#held.delete(node);
    // It is the one used last now.
    this.#held.set(node, held);
    held.users++;
    try {
      return await use(await held.handle);
    } finally {
      held.users--;
      if (held.dropped) this.#closeUnused(held);
      else this.#trim();
    }
  }

  /** Takes a handle that was opened with the node; closes it if there is one already. */
  adopt(node: Node, handle: number): void {
    if (this.#held.has(node)) this.#close(handle);
    else this.#held.set(node, { handle: Promise.resolve(handle), users: 0, dropped: false });
    this.#trim();
  }

  /** Closes the handle of a node, when nobody uses it just now. */
  drop(node: Node): void {
    const held = this.#held.get(node);
    if (held === undefined || node === this.#root) return;
    this.#held.delete(node);
    held.dropped = true;
    this.#closeUnused(held);
  }

  #closeUnused(held: Held): void {
    if (held.users > 0) return;
    held.handle.then(
      (handle) => this.#close(handle),
      () => {},
    );
  }

  /** Gives back handles until there are not too many, the oldest first. */
  #trim(): void {
    if (this.#held.size <= this.#most) return;
    for (const [node, { users }] of this.#held) {
      if (this.#held.size <= this.#most) break;
      if (users === 0 && node.opens === 0 && node.place !== undefined) this.drop(node);
    }
  }

  #look(node: Node): Held {
    const handle = this.#find(node);
    const held: Held = { handle, users: 0, dropped: false };
    handle.catch(() => {
      if (this.#held.get(node) === held) this.#held.delete(node);
    });
    return held;
  }

  async #find(node: Node): Promise<number> {
    const { place } = node;
    if (place === undefined) throw new Refused(ERRNO.ESTALE);
    const { handle, status } = await this.using(place.parent, (parent) =>
      this.#client.lookup(parent, place.name),
    );
    if (status.inode === node.status.inode && status.type === node.status.type) {
      node.status = status;
      return handle;
    }
    this.#close(handle);
    throw new Refused(ERRNO.ESTALE);
  }

  #close(handle: number): void {
    // A server that is gone has closed all of them.
    this.#client.close(handle).catch(() => {});
  }
}
