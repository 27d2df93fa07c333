import { assert, FsError } from '../errors.ts';
import type { FileSystem, FileSystemNode } from './file-system.ts';
import { Vnode } from './vnode.ts';

/**
 * The vnodes in memory: those that somebody holds, and, up to a bound, those that were used last.
 * So a client that comes back to a file finds its node as it was left.
 */
export class VnodeTable {
  readonly #fileSystem: FileSystem;
  /** The most vnodes that are kept in memory while nobody holds them. */
  readonly idleMax: number;
  readonly #vnodes = new Map<number, Vnode>();
  readonly #loading = new Map<number, Promise<void>>();
  #idle = 0;
  #oldestIdle: Vnode | undefined = undefined;
  #newestIdle: Vnode | undefined = undefined;

  constructor(fileSystem: FileSystem, idleMax: number) {
    this.#fileSystem = fileSystem;
    this.idleMax = idleMax;
  }

  /** The number of vnodes that somebody holds. */
  get held(): number {
    return this.#vnodes.size - this.#idle;
  }

  /** The vnode of an id, if it is in memory and lives on. It is not held. */
  peek(id: number): Vnode | undefined {
    const vnode = this.#vnodes.get(id);
    return vnode === undefined || vnode.dying || vnode.node.links === 0 ? undefined : vnode;
  }

  /** The vnode of an id that a directory named, held for the caller. */
  async get(id: number): Promise<Vnode> {
    for (;;) {
      const vnode = this.#vnodes.get(id);
      if (vnode !== undefined) {
        if (vnode.dying) throw new FsError('Corrupt', `a directory names node ${id}, which has no links`);
        this.hold(vnode);
        return vnode;
      }
      let loading = this.#loading.get(id);
      if (loading === undefined) {
        loading = this.#load(id);
        this.#loading.set(id, loading);
      }
      await loading;
    }
  }

  /** Takes in a node that was just made, held for the caller. */
  adopt(node: FileSystemNode): Vnode {
    const known = this.#vnodes.get(node.id);
    if (known !== undefined && !known.dying) {
      throw new FsError('Corrupt', `node ${node.id} was given to a new file while in use`);
    }
    const vnode = new Vnode(node);
    vnode.references = 1;
    this.#vnodes.set(node.id, vnode);
    return vnode;
  }

  hold(vnode: Vnode): void {
    assert(!vnode.dying, 'nobody takes up a vnode that is being destroyed');
    if (vnode.references === 0) this.#leaveIdle(vnode);
    vnode.references += 1;
  }

  /**
   * Gives one reference back. True when it was the last one to a node without names; the caller
   * must then destroy the node.
   */
  release(vnode: Vnode): boolean {
    assert(vnode.references > 0, 'a vnode is released once for each time it was taken');
    vnode.references -= 1;
    if (vnode.references > 0) return false;
    vnode.node.deactivate();
    if (vnode.node.links === 0) {
      vnode.dying = true;
      return true;
    }
    this.#enterIdle(vnode);
    return false;
  }

  /** Removes a node that is destroyed. Its id may have a new owner by now. */
  remove(vnode: Vnode): void {
    vnode.node.reclaim();
    if (this.#vnodes.get(vnode.id) === vnode) this.#vnodes.delete(vnode.id);
  }

  async #load(id: number): Promise<void> {
    try {
      const node = await this.#fileSystem.load(id);
      if (this.#vnodes.has(id)) return;
      const vnode = new Vnode(node);
      this.#vnodes.set(id, vnode);
      this.#enterIdle(vnode);
    } finally {
      this.#loading.delete(id);
    }
  }

  #enterIdle(vnode: Vnode): void {
    vnode.older = this.#newestIdle;
    vnode.newer = undefined;
    if (this.#newestIdle === undefined) this.#oldestIdle = vnode;
    else this.#newestIdle.newer = vnode;
    this.#newestIdle = vnode;
    this.#idle += 1;
    while (this.#idle > this.idleMax && this.#oldestIdle !== undefined) {
      const victim = this.#oldestIdle;
      this.#leaveIdle(victim);
      this.remove(victim);
    }
  }

  #leaveIdle(vnode: Vnode): void {
    if (vnode.older === undefined) this.#oldestIdle = vnode.newer;
    else vnode.older.newer = vnode.newer;
    if (vnode.newer === undefined) this.#newestIdle = vnode.older;
    else vnode.newer.older = vnode.older;
    vnode.older = undefined;
    vnode.newer = undefined;
    this.#idle -= 1;
  }
}
