import type { BufferCache } from '../buffer/buffer-cache.ts';
import type { LoggedBlock, OwnStructures } from '../buffer/metadata-log.ts';
import type { Hypercalls } from '../hypercall/hypercalls.ts';
import type { Groups } from './groups.ts';
import type { PendingFrees } from './pending-frees.ts';
import { type Superblock, SUPERBLOCK_BYTES } from './superblock.ts';

/** What is summed up. */
interface Sources {
  readonly hypercalls: Hypercalls;
  readonly cache: BufferCache;
  readonly superblock: Superblock;
  readonly groups: Groups;
  readonly frees: PendingFrees;
  readonly journalled: boolean;
}

/**
 * The superblock, the counts of the groups and the groups themselves. They change with nearly every
 * operation, so they are made from what is in memory when a pass of write-back begins.
 */
export class Summary implements OwnStructures {
  readonly #volume: Sources;
  /** The fragments that hold the superblock, whole. */
  #bytes = new Uint8Array(0);
  #nowMs = 0;
  #changed = false;
  #taken: readonly LoggedBlock[] = [];

  constructor(volume: Sources) {
    this.#volume = volume;
  }

  /** Reads what is beside the superblock in its fragments. */
  async load(): Promise<void> {
    const { cache, superblock } = this.#volume;
    const size = superblock.fragmentSizeBytes;
    const count = Math.ceil(((superblock.offsetBytes % size) + SUPERBLOCK_BYTES) / size);
    this.#bytes = new Uint8Array(count * size);
    for (let index = 0; index < count; index += 1) {
      const fragment = this.#fragment + index;
      const buffer = cache.peek(fragment) ?? (await cache.read(fragment));
      this.#bytes.set(buffer.bytes, index * size);
      cache.forget(fragment);
    }
  }

  /** Sets the time that the structures are going to have as that of their last change. */
  async stamp(): Promise<void> {
    this.#nowMs = await this.#volume.hypercalls.now();
  }

  /** Says that the superblock has changed. */
  mark(): void {
    this.#changed = true;
  }

  take(): readonly LoggedBlock[] {
    const { groups, superblock, frees, journalled } = this.#volume;
    if (journalled) frees.take();
    const parts = groups.take(this.#nowMs);
    if (parts.length === 0 && !this.#changed) return [];
    superblock.setTotals(groups.totals, this.#nowMs);
    this.#bytes.set(superblock.fields.bytes, superblock.offsetBytes % superblock.fragmentSizeBytes);
    this.#changed = false;
    this.#taken = [{ block: this.#fragment, bytes: this.#bytes.slice() }, ...parts];
    return this.#taken;
  }

  written(done: boolean, placed: boolean): void {
    const { groups, frees, journalled } = this.#volume;
    groups.written(this.#taken, done, placed);
    if (done && journalled) frees.release();
    if (!done && this.#taken.length > 0) this.#changed = true;
    this.#taken = [];
  }

  get #fragment(): number {
    const { offsetBytes, fragmentSizeBytes } = this.#volume.superblock;
    return Math.floor(offsetBytes / fragmentSizeBytes);
  }
}
