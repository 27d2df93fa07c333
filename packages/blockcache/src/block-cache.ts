/**
 * A cache of chunks over a device; the cache itself is a device, too. The memory always has the
 * newest content: reads see every write that was answered, whether it has reached the device or
 * not. With write-back a write is answered as soon as it is in memory, with write-through once it
 * is on the device. SYNC is the same for both: everything that was answered goes to the device,
 * then the device is told to make it last.
 */
import { assert } from '@ginit/core';
import { copyInto } from '@ginit/core/packet-stream';
import { type BlockBackend, type BlockInfo } from '@ginit/core/block';
import { Mutex, Rounds, settleAll } from '@ginit/core/async';
import type { BackendDevice } from './backend-device.ts';
import { ChunkStore } from './chunk-store.ts';
import { Fetcher } from './fetcher.ts';
import { Geometry, mask } from './geometry.ts';
import type { ReplacementPolicy } from './policy/replacement-policy.ts';
import { ReadAhead, type ReadAheadPlan } from './read-ahead.ts';
import { WriteBack } from './write-back.ts';

export const WRITE_MODES = ['write-back', 'write-through'] as const;
export type WriteMode = (typeof WRITE_MODES)[number];

/** The parts that a cache is made of. */
export interface BlockCacheParts {
  readonly device: BackendDevice;
  /** The memory for the chunks; a multiple of the chunk size. */
  readonly memory: Uint8Array;
  readonly policy: ReplacementPolicy;
  readonly mode: WriteMode;
}

/** Counts of a cache's work. */
export interface CacheStatistics {
  /**
   * The number of chunks of read requests that were in the cache; `misses` counts those that were
   * not.
   */
  readonly hits: number;
  readonly misses: number;
  readonly evictions: number;
  /** The numbers of requests to the device. */
  readonly deviceReads: number;
  readonly deviceWrites: number;
  /** The number of chunks in the cache now. */
  readonly held: number;
  readonly dirty: number;
}

/** Nothing is read ahead while this many fetches are under way. */
const FETCHES_AHEAD_MAX = 16;

export class BlockCache implements BlockBackend {
  readonly info: BlockInfo;
  readonly #device: BackendDevice;
  readonly #geometry: Geometry;
  readonly #store: ChunkStore;
  readonly #fetcher: Fetcher;
  readonly #writeBack: WriteBack;
  readonly #readAhead: ReadAhead;
  readonly #mode: WriteMode;
  /** Writes that have to wait for room, in the order in which they came. */
  readonly #writers = new Mutex();
  readonly #syncs: Rounds;
  #hits = 0;
  #misses = 0;

  constructor({ device, memory, policy, mode }: BlockCacheParts) {
    this.info = device.info;
    this.#device = device;
    this.#geometry = new Geometry(device.info.blockSize, device.info.blockCount);
    assert(device.requestBlocksMax >= this.#geometry.blocksPerChunk, 'a chunk fits a request');
    this.#store = new ChunkStore(memory, this.#geometry, policy);
    this.#fetcher = new Fetcher(this.#store, device);
    this.#writeBack = new WriteBack(this.#store, device);
    this.#readAhead = new ReadAhead(this.#store.slots, this.#geometry.blocksPerChunk);
    this.#mode = mode;
    this.#syncs = new Rounds(async () => {
      await this.#writeBack.flush();
      await device.sync();
    });
  }

  get statistics(): CacheStatistics {
    return {
      hits: this.#hits,
      misses: this.#misses,
      evictions: this.#store.evictions,
      deviceReads: this.#fetcher.requests,
      deviceWrites: this.#writeBack.requests,
      held: this.#store.chunksHeld,
      dirty: this.#writeBack.dirtyCount,
    };
  }

  read(block: number, count: number, into: Uint8Array): void | Promise<void> {
    const first = this.#geometry.chunkOf(block);
    const last = this.#geometry.chunkOf(block + count - 1);
    const ahead = this.#planAhead(block, count);
    let missing: Promise<void>[] | undefined;
    for (let chunk = first; chunk <= last; ) {
      if (this.#copyFromCache(chunk, block, into)) {
        chunk++;
        continue;
      }
      const wanted = last - chunk + 1;
      const extra = ahead.first === last + 1 ? ahead.count : 0;
      const { chunks, done } = this.#fetcher.read(chunk, wanted, wanted + extra, block, into);
      this.#misses += chunks;
      missing ??= [];
      missing.push(done);
      chunk += chunks;
    }
    if (ahead.count > 0) this.#fetcher.ahead(ahead.first, ahead.count);
    return missing?.length === 1 ? missing[0] : missing && settleAll(missing);
  }

  write(block: number, count: number, from: Uint8Array): void | Promise<void> {
    const done = this.#writers.held ? 0 : this.#writeNow(block, count, from, 0);
    if (done < count) return this.#writeSlowly(block, count, from, done);
    return this.#written(block, count);
  }

  sync(): Promise<void> {
    return this.#syncs.request();
  }

  /**
   * The blocks leave the cache once the device has discarded them; meanwhile nothing is written to
   * it.
   */
  trim(block: number, count: number): Promise<void> {
    return this.#writeBack.exclude(async () => {
      await this.#device.trim(block, count);
      this.#discard(block, count);
    });
  }

  /**
   * The device makes the zeros, because it may have a better way than to write them. The blocks
   * leave the cache as they do after a trim; a write to them that was answered meanwhile counts as
   * earlier.
   */
  writeZeroes(block: number, count: number): Promise<void> {
    return this.#writeBack.exclude(async () => {
      await this.#device.writeZeroes(block, count);
      this.#discard(block, count);
    });
  }

  #planAhead(block: number, count: number): ReadAheadPlan {
    const plan = this.#readAhead.plan(block, count);
    const busy = this.#device.waiting > 0 || this.#fetcher.underWay >= FETCHES_AHEAD_MAX;
    return busy ? { first: 0, count: 0 } : plan;
  }

  /**
   * Copies the blocks of a chunk that a request which begins with `block` wants; false if some of
   * them are not in the cache.
   */
  #copyFromCache(chunk: number, block: number, into: Uint8Array): boolean {
    const slot = this.#store.find(chunk);
    if (slot < 0) return false;
    const { blockSize, blocksPerChunk } = this.#geometry;
    const first = Math.max(0, block - chunk * blocksPerChunk);
    const at = chunk * blocksPerChunk + first - block;
    const count = Math.min(blocksPerChunk - first, into.byteLength / blockSize - at);
    if (!this.#store.holds(slot, mask(first, count))) return false;
    copyInto(into, this.#store.blocks(slot, first, count), at * blockSize);
    this.#store.used(slot);
    this.#hits++;
    return true;
  }

  /**
   * Puts blocks from the `done`th on into the cache, as far as there is room. Returns the number of
   * blocks that are in it then.
   */
  #writeNow(block: number, count: number, from: Uint8Array, done: number): number {
    const { blockSize, blocksPerChunk } = this.#geometry;
    let at = done;
    while (at < count) {
      const chunk = this.#geometry.chunkOf(block + at);
      const first = block + at - chunk * blocksPerChunk;
      const blocks = Math.min(blocksPerChunk - first, count - at);
      const bytes = from.subarray(at * blockSize, (at + blocks) * blockSize);
      if (!this.#writeChunk(chunk, mask(first, blocks), first, bytes)) break;
      at += blocks;
    }
    this.#writeBack.work();
    return at;
  }

  /** Writes into one chunk. False if there is no room now: no slot, or too many dirty chunks. */
  #writeChunk(chunk: number, set: number, first: number, bytes: Uint8Array): boolean {
    const store = this.#store;
    const found = store.find(chunk);
    const clean = found < 0 || (store.dirty[found] === 0 && !store.pinned(found, 'write'));
    if (clean && !this.#writeBack.room) return false;
    const slot = found >= 0 ? found : store.take(chunk);
    if (slot < 0) return false;
    if (found >= 0) store.used(slot);
    // The chunk that is on its way in was read before this write. It must find the written blocks
    // here, so the slot must stay.
    else if (this.#fetcher.expects(chunk)) store.pin(slot, 'fetch');
    copyInto(store.blocks(slot, first, bytes.byteLength / this.#geometry.blockSize), bytes);
    store.valid[slot] = (store.valid[slot] ?? 0) | set;
    this.#writeBack.markDirty(slot, set);
    return true;
  }

  async #writeSlowly(block: number, count: number, from: Uint8Array, done: number): Promise<void> {
    await this.#writers.acquire();
    try {
      let at = done;
      while (at < count) {
        const before = at;
        at = this.#writeNow(block, count, from, at);
        if (at === before) await this.#room();
      }
    } finally {
      this.#writers.release();
    }
    await this.#written(block, count);
  }

  /**
   * Settles when there may be room for a write. Rejects if every chunk that is in the way cannot be
   * written to the device.
   */
  #room(): Promise<void> {
    const cleaner = this.#writeBack.makeRoom();
    if (cleaner) return cleaner;
    if (this.#writeBack.room && this.#fetcher.underWay > 0) return this.#fetcher.ended.wait();
    return this.#writeBack.retryFailed();
  }

  /** Does the work that must be done before a write that is in the cache is answered. */
  #written(block: number, count: number): void | Promise<void> {
    if (this.#mode === 'write-back') return undefined;
    const first = this.#geometry.chunkOf(block);
    const chunks = this.#geometry.chunkOf(block + count - 1) - first + 1;
    return this.#writeBack.settle(Array.from({ length: chunks }, (_, index) => first + index));
  }

  #discard(block: number, count: number): void {
    const first = this.#geometry.chunkOf(block);
    const chunks = this.#geometry.chunkOf(block + count - 1) - first + 1;
    this.#fetcher.discard(first, chunks);
    if (chunks <= this.#store.slots) {
      for (let chunk = first; chunk < first + chunks; chunk++) {
        this.#discardBlocks(this.#store.find(chunk), block, count);
      }
      return;
    }
    for (let slot = 0; slot < this.#store.slots; slot++) {
      const chunk = this.#store.chunkIn(slot);
      if (chunk >= first && chunk < first + chunks) this.#discardBlocks(slot, block, count);
    }
  }

  #discardBlocks(slot: number, block: number, count: number): void {
    if (slot < 0) return;
    const store = this.#store;
    const chunkBlock = this.#geometry.firstBlock(store.chunkIn(slot));
    const from = Math.max(0, block - chunkBlock);
    const to = Math.min(this.#geometry.blocksPerChunk, block + count - chunkBlock);
    const set = mask(from, to - from);
    this.#writeBack.unmarkDirty(slot, set);
    store.valid[slot] = (store.valid[slot] ?? 0) & ~set;
    if (store.valid[slot] === 0) store.discard(slot);
  }
}
