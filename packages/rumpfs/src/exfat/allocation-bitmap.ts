import type { BlockBuffer } from '../buffer/block-buffer.ts';
import type { BufferCache } from '../buffer/buffer-cache.ts';
import { readAround } from '../buffer/read-around.ts';
import { CLUSTER_RUN_NONE, type ClusterRun } from '../fat/cluster-run.ts';
import type { FreeMap } from '../fat/free-map.ts';
import { blockOfCluster, FIRST_CLUSTER, type Layout } from '../fat/layout.ts';

/** The part of the bitmap that says it is not in memory: see `AllocationBitmap.missing`. */
export const BITMAP_MISSING = -1;

const FULL = 0xff;

/**
 * The allocation bitmap: a bit for each cluster, 1 if it is in use. The lowest bit of the first
 * byte is cluster 2. It stands in clusters of its own.
 *
 * Questions are answered at once where their part of the bitmap is in memory.
 */
export class AllocationBitmap implements FreeMap {
  /** The block that was missing when an answer was `BITMAP_MISSING`. */
  missing = 0;
  readonly #layout: Layout;
  readonly #cache: BufferCache;
  /** The pieces that the bitmap is in, and the byte of it behind each. */
  readonly #runs: readonly ClusterRun[];
  readonly #ends: readonly number[];
  readonly #end: number;

  constructor(layout: Layout, cache: BufferCache, runs: readonly ClusterRun[], clusterCount: number) {
    this.#layout = layout;
    this.#cache = cache;
    this.#runs = runs;
    this.#end = clusterCount + FIRST_CLUSTER;
    let bytes = 0;
    this.#ends = runs.map(({ count }) => (bytes += count * layout.blocksPerCluster * layout.blockBytes));
  }

  /** Reads the part that was missing, with what is around it. Rejects with `InputOutput`. */
  async readMissing(): Promise<void> {
    const { missing } = this;
    const blocks = ({ count }: ClusterRun): number => count * this.#layout.blocksPerCluster;
    for (const run of this.#runs) {
      const first = blockOfCluster(this.#layout, run.cluster);
      if (missing >= first && missing < first + blocks(run))
        readAround(this.#cache, missing, first, first + blocks(run));
    }
    await this.#cache.read(missing);
  }

  /** 1 for a cluster that is in use, 0 for a free one. */
  get(cluster: number): number {
    const index = cluster - FIRST_CLUSTER;
    const byte = Math.floor(index / 8);
    const buffer = this.#at(byte);
    if (buffer === undefined) return BITMAP_MISSING;
    return ((buffer.bytes[byte % this.#layout.blockBytes] ?? 0) >> (index % 8)) & 1;
  }

  /** Marks a cluster. False if its part of the bitmap is not in memory. */
  trySet(cluster: number, used: boolean): boolean {
    const index = cluster - FIRST_CLUSTER;
    const byte = Math.floor(index / 8);
    const buffer = this.#at(byte);
    if (buffer === undefined) return false;
    const within = byte % this.#layout.blockBytes;
    const old = buffer.bytes[within] ?? 0;
    const bit = 1 << (index % 8);
    buffer.bytes[within] = used ? old | bit : old & ~bit;
    this.#cache.markDirty(buffer, this.#blockOf(byte), 'structure');
    return true;
  }

  /**
   * The first free cluster from `from` on, as far as one block of the bitmap tells; `searchedTo`
   * says how far that is if the answer is 0.
   */
  findFree(from: number): { readonly cluster: number; readonly searchedTo: number } {
    const { blockBytes } = this.#layout;
    const first = from - FIRST_CLUSTER;
    const byte = Math.floor(first / 8);
    const buffer = this.#at(byte);
    if (buffer === undefined) return { cluster: BITMAP_MISSING, searchedTo: from };
    const start = byte - (byte % blockBytes);
    const stop = Math.min(start + blockBytes, Math.ceil((this.#end - FIRST_CLUSTER) / 8));
    for (let at = byte; at < stop; at += 1) {
      const bits = buffer.bytes[at - start] ?? FULL;
      if (bits === FULL) continue;
      for (let bit = at === byte ? first % 8 : 0; bit < 8; bit += 1) {
        if (((bits >> bit) & 1) !== 0) continue;
        const cluster = at * 8 + bit + FIRST_CLUSTER;
        return cluster < this.#end ? { cluster, searchedTo: 0 } : { cluster: 0, searchedTo: this.#end };
      }
    }
    return { cluster: 0, searchedTo: Math.min(this.#end, stop * 8 + FIRST_CLUSTER) };
  }

  take(first: number, countMax: number): number {
    let count = 0;
    while (count < countMax && first + count < this.#end && this.get(first + count) === 0) {
      if (!this.trySet(first + count, true)) break;
      count += 1;
    }
    return count;
  }

  /** The free clusters among those that one block of the bitmap has from byte `byte` on. */
  countFree(byte: number): { readonly free: number; readonly nextByte: number } {
    const { blockBytes } = this.#layout;
    const buffer = this.#at(byte);
    if (buffer === undefined) return { free: BITMAP_MISSING, nextByte: byte };
    const clusters = this.#end - FIRST_CLUSTER;
    const start = byte - (byte % blockBytes);
    const stop = Math.min(start + blockBytes, Math.ceil(clusters / 8));
    let free = 0;
    for (let at = byte; at < stop; at += 1) {
      const count = Math.min(8, clusters - at * 8);
      const used = (buffer.bytes[at - start] ?? FULL) & ((1 << count) - 1);
      free += count - bitsOf(used);
    }
    return { free, nextByte: stop };
  }

  #at(byte: number): BlockBuffer | undefined {
    const block = this.#blockOf(byte);
    const buffer = this.#cache.peek(block);
    if (buffer === undefined) this.missing = block;
    return buffer;
  }

  #blockOf(byte: number): number {
    let piece = 0;
    while ((this.#ends[piece] ?? Number.POSITIVE_INFINITY) <= byte) piece += 1;
    const run = this.#runs[piece] ?? CLUSTER_RUN_NONE;
    const within = byte - (this.#ends[piece - 1] ?? 0);
    return blockOfCluster(this.#layout, run.cluster) + Math.floor(within / this.#layout.blockBytes);
  }
}

function bitsOf(byte: number): number {
  const pairs = byte - ((byte >> 1) & 0x55);
  const fours = (pairs & 0x33) + ((pairs >> 2) & 0x33);
  return (fours + (fours >> 4)) & 0x0f;
}
