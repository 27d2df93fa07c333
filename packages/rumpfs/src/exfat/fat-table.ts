import type { BufferCache } from '../buffer/buffer-cache.ts';
import { readAround } from '../buffer/read-around.ts';
import { FAT_END, FAT_INVALID, FAT_MISSING } from '../fat/fat-entry.ts';
import { FIRST_CLUSTER, type Layout } from '../fat/layout.ts';
import type { Geometry } from './boot-region.ts';

const RAW_END = 0xffff_ffff;

/**
 * The file allocation table: for each cluster of a chain the next one, in 32 bits. Which clusters
 * are free it does not say, and of files in one piece it says nothing.
 *
 * Questions are answered at once where their part of the table is in memory.
 */
export class FatTable {
  /** The block that was missing when an answer was `FAT_MISSING`. */
  missing = 0;
  /** One more than the number of the last cluster. */
  readonly end: number;
  readonly #start: number;
  readonly #bytes: number;
  readonly #layout: Layout;
  readonly #cache: BufferCache;

  /** @param active which of the tables counts */
  constructor(geometry: Geometry, layout: Layout, cache: BufferCache, active: number) {
    this.end = geometry.clusterCount + FIRST_CLUSTER;
    this.#start = geometry.fatStart + active * geometry.fatBytes - layout.baseBytes;
    this.#bytes = geometry.fatBytes;
    this.#layout = layout;
    this.#cache = cache;
  }

  /** Reads the part that was missing, with what is around it. Rejects with `InputOutput`. */
  async readMissing(): Promise<void> {
    const { blockBytes } = this.#layout;
    const first = Math.floor(this.#start / blockBytes);
    const end = Math.ceil((this.#start + this.#bytes) / blockBytes);
    readAround(this.#cache, this.missing, first, end);
    await this.#cache.read(this.missing);
  }

  /** The cluster behind another one, if that is in memory. */
  get(cluster: number): number {
    const { blockBytes } = this.#layout;
    const byte = this.#start + cluster * 4;
    const block = Math.floor(byte / blockBytes);
    const buffer = this.#cache.peek(block);
    if (buffer === undefined) {
      this.missing = block;
      return FAT_MISSING;
    }
    const raw = buffer.view.getUint32(byte % blockBytes, true);
    if (raw === RAW_END) return FAT_END;
    return raw >= FIRST_CLUSTER && raw < this.end ? raw : FAT_INVALID;
  }

  /** Lets a cluster lead to the next one, or be the last. False if its entry is not in memory. */
  trySet(cluster: number, next: number): boolean {
    const { blockBytes } = this.#layout;
    const byte = this.#start + cluster * 4;
    const block = Math.floor(byte / blockBytes);
    const buffer = this.#cache.peek(block);
    if (buffer === undefined) {
      this.missing = block;
      return false;
    }
    buffer.view.setUint32(byte % blockBytes, next === FAT_END ? RAW_END : next, true);
    this.#cache.markDirty(buffer, block, 'structure');
    return true;
  }
}
