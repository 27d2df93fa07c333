/** The files and directories that somebody has open, by numbers. */
import { Mutex } from '@ginit/core/async';
import type { Mount } from '../vnode/mount.ts';
import type { Vnode } from '../vnode/vnode.ts';
import { CONSTANTS } from './constants.ts';
import { Failure } from './failure.ts';

/** The most files that are open at a time. */
const OPEN_MAX = 65_536;

/** An open file or directory. */
export class OpenNode {
  readonly vnode: Vnode;
  readonly flags: number;
  /** Where the next read or write without a position begins. */
  position = 0;
  /** Held by reads and writes without a position, which go one after the other. */
  readonly sequence = new Mutex();

  constructor(vnode: Vnode, flags: number) {
    this.vnode = vnode;
    this.flags = flags;
  }

  get readable(): boolean {
    return (this.flags & 3) !== CONSTANTS.O_WRONLY;
  }

  get writeable(): boolean {
    return (this.flags & 3) !== CONSTANTS.O_RDONLY;
  }

  get appends(): boolean {
    return (this.flags & CONSTANTS.O_APPEND) !== 0;
  }
}

/** All that are open. */
export class OpenNodes {
  readonly #mount: Mount;
  readonly #nodes = new Map<number, OpenNode>();
  #next = 3;

  constructor(mount: Mount) {
    this.#mount = mount;
  }

  get count(): number {
    return this.#nodes.size;
  }

  /** Refuses one more, if there are too many. */
  requireRoom(): void {
    if (this.#nodes.size >= OPEN_MAX) throw new Failure('TooManyOpen', `${OPEN_MAX} files are open`);
  }

  /** Takes over a vnode that the caller holds. */
  add(vnode: Vnode, flags: number): number {
    const handle = this.#next++;
    this.#nodes.set(handle, new OpenNode(vnode, flags));
    return handle;
  }

  get(handle: number): OpenNode {
    const node = this.#nodes.get(handle);
    if (node === undefined) throw new Failure('BadHandle', `no file is open as ${handle}`);
    return node;
  }

  async close(handle: number): Promise<void> {
    const { vnode } = this.get(handle);
    this.#nodes.delete(handle);
    await this.#mount.release(vnode);
  }

  async closeAll(): Promise<void> {
    for (const handle of this.#nodes.keys()) await this.close(handle);
  }
}
