/**
 * A cache of chunks over a device; the cache itself is a device, too. The memory always has the
 * newest content: reads see every write that was answered, whether it has reached the device or
 * not. With write-back a write is answered as soon as it is in memory, with write-through once it
 * is on the device; with write-around likewise, and what was not in the cache before goes first.
 * SYNC is the same for all: everything that was answered goes to the device,
 * then the device is told to make it last.
 */
import { assert, type RpcError } from '@ginit/core';
import { copyApart } from '@ginit/core/packet-stream';
import { type BlockBackend, type BlockInfo } from '@ginit/core/block';
import { Mutex, Rounds, settleAll } from '@ginit/core/async';
import type { BackendDevice } from './backend-device.ts';
import { CacheClient } from './cache-client.ts';
import { ANY_WRITER, type Arrival, type ChunkStore } from './chunk-store.ts';
import { Fetcher } from './fetcher.ts';
import { Geometry, mask } from './geometry.ts';
import { ReadAhead } from './read-ahead.ts';
import { WriteBack } from './write-back.ts';

export const WRITE_MODES = ['write-back', 'write-through', 'write-around', 'read-only'] as const;
export type WriteMode = (typeof WRITE_MODES)[number];

/** The parts that a cache is made of. */
export interface BlockCacheParts {
  readonly device: BackendDevice;
  /** Where the chunks are. It may get more memory, or less, at any time. */
  readonly store: ChunkStore;
  readonly mode: WriteMode;
  /** The part of the chunks that may be dirty; half unless told. */
  readonly dirtyShare?: number;
}

/** Counts of a cache's work. */
export interface CacheStatistics {
  /**
   * The number of chunks of read requests that were in the cache; `misses` counts those that were
   * not.
   */
  readonly hits: number;
  readonly misses: number;
  /** Misses of chunks that had been in the cache not long ago, if the policy knows. */
  readonly ghostHits: number;
  readonly evictions: number;
  /** The numbers of requests to the device, and of write requests that have failed. */
  readonly deviceReads: number;
  readonly deviceWrites: number;
  readonly writeErrors: number;
  /** Chunks that were read ahead and then asked for, and those that left without that. */
  readonly aheadUsed: number;
  readonly aheadWasted: number;
  /** The number of chunks that there is memory for, and of those in the cache now. */
  readonly slots: number;
  readonly held: number;
  readonly dirty: number;
  /** Those of the dirty ones that the device has failed to take. */
  readonly failed: number;
}

/** Nothing is read ahead while this many fetches are under way. */
const FETCHES_AHEAD_MAX = 16;

export class BlockCache implements BlockBackend {
  readonly info: BlockInfo;
  readonly store: ChunkStore;
  readonly #device: BackendDevice;
  readonly #geometry: Geometry;
  readonly #fetcher: Fetcher;
  readonly #writeBack: WriteBack;
  readonly #readAhead: ReadAhead;
  #mode: WriteMode;
  /** Writes that have to wait for room, in the order in which they came. */
  readonly #writers = new Mutex();
  readonly #syncs: Rounds;
  readonly #clients = new Set<CacheClient>();
  /** The session of nobody in particular: whoever uses the cache itself as a device. */
  readonly #nobody: CacheClient;
  #hits = 0;
  #misses = 0;

  constructor({ device, store, mode, dirtyShare = 1 / 2 }: BlockCacheParts) {
    this.info = mode === 'read-only' ? { ...device.info, writeable: false } : device.info;
    this.store = store;
    this.#device = device;
    this.#geometry = store.geometry;
    assert(device.requestBlocksMax >= this.#geometry.blocksPerChunk, 'a chunk fits a request');
    this.#fetcher = new Fetcher(store, device);
    this.#writeBack = new WriteBack(store, device, dirtyShare);
    this.#readAhead = new ReadAhead(() => store.slots, this.#geometry.blocksPerChunk);
    store.onAhead = (used) => this.#readAhead.judge(used);
    this.#mode = mode;
    this.#nobody = new CacheClient(this, '', ANY_WRITER);
    this.#syncs = new Rounds(async () => {
      await this.#writeBack.flush();
      await device.sync();
    });
  }

  get statistics(): CacheStatistics {
    const { store } = this;
    return {
      hits: this.#hits,
      misses: this.#misses,
      ghostHits: store.policy.ghostHits,
      evictions: store.evictions,
      deviceReads: this.#fetcher.requests,
      deviceWrites: this.#writeBack.requests,
      writeErrors: this.#writeBack.errors,
      aheadUsed: this.#readAhead.used,
      aheadWasted: this.#readAhead.wasted,
      slots: store.slots,
      held: store.chunksHeld,
      dirty: this.#writeBack.dirtyCount,
      failed: this.#writeBack.failedCount,
    };
  }

  /** The error of a late write that came last. */
  get lastError(): RpcError | undefined {
    return this.#writeBack.lateErrors.last;
  }

  get mode(): WriteMode {
    return this.#mode;
  }

  /** From now on writes are answered as `mode` says. A cache stays read-only, or is never so. */
  set mode(mode: WriteMode) {
    assert((mode === 'read-only') === (this.#mode === 'read-only'), 'nobody may write all at once');
    this.#mode = mode;
  }

  /** The part of the chunks that may be dirty. */
  set dirtyShare(share: number) {
    this.#writeBack.share = share;
  }

  /** Has `handler` called when something becomes dirty after nothing was. */
  set onDirty(handler: () => void) {
    this.#writeBack.onDirty = handler;
  }

  /**
   * Settles when a chunk that could not be removed may be removable; undefined if there is none for
   * which it would help to wait.
   */
  progress(): Promise<void> | undefined {
    const cleaner = this.#writeBack.makeRoom();
    if (cleaner) return cleaner;
    return this.#fetcher.underWay > 0 ? this.#fetcher.ended.wait() : undefined;
  }

  get clients(): ReadonlySet<CacheClient> {
    return this.#clients;
  }

  /** The cache as a device for one client, which hears of its own late errors only. */
  join(label: string): CacheClient {
    const client = new CacheClient(this, label, this.#writeBack.lateErrors.join());
    this.#clients.add(client);
    return client;
  }

  leave(client: CacheClient): void {
    this.#clients.delete(client);
    this.#writeBack.lateErrors.leave(client.writer);
  }

  /** Some time has passed: what has been dirty for four such times is written. */
  tick(): void {
    this.#writeBack.tick();
  }

  read(block: number, count: number, into: Uint8Array): void | Promise<void> {
    return this.readAs(this.#nobody, block, count, into);
  }

  write(block: number, count: number, from: Uint8Array): void | Promise<void> {
    return this.writeAs(this.#nobody, block, count, from);
  }

  sync(): Promise<void> {
    return this.syncAs(this.#nobody);
  }

  readAs(client: CacheClient, block: number, count: number, into: Uint8Array): void | Promise<void> {
    const first = this.#geometry.chunkOf(block);
    const last = this.#geometry.chunkOf(block + count - 1);
    this.#readAhead.note(block, count);
    const { scan } = this.#readAhead;
    const hits = this.#hits;
    let missing: Promise<void>[] | undefined;
    for (let chunk = first; chunk <= last; ) {
      if (this.#copyFromCache(chunk, block, block + count, into, scan)) {
        chunk++;
        continue;
      }
      const wanted = last - chunk + 1;
      const extra = this.#readAhead.first === last + 1 ? this.#aheadCount() : 0;
      const { chunks, done } = this.#fetcher.read(chunk, wanted, wanted + extra, block, into, scan);
      this.#misses += chunks;
      client.misses += chunks;
      missing ??= [];
      missing.push(done);
      chunk += chunks;
    }
    client.hits += this.#hits - hits;
    const ahead = this.#aheadCount();
    if (ahead > 0) this.#fetcher.ahead(this.#readAhead.first, ahead, scan);
    return missing?.length === 1 ? missing[0] : missing && settleAll(missing);
  }

  writeAs(client: CacheClient, block: number, count: number, from: Uint8Array): void | Promise<void> {
    const { writer } = client;
    const done = this.#writers.held ? 0 : this.#writeNow(writer, block, count, from, 0);
    if (done < count) return this.#writeSlowly(writer, block, count, from, done);
    return this.#written(block, count);
  }

  /**
   * A SYNC of one client. Rejects if the device has failed to take something that the client has
   * written, and the client has not been told that yet.
   */
  async syncAs(client: CacheClient): Promise<void> {
    if (this.#mode === 'read-only') return;
    await this.#syncs.request();
    const error = this.#writeBack.lateErrors.take(client.writer);
    if (error) throw error;
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

  /** The number of chunks to bring in beyond those that are wanted. */
  #aheadCount(): number {
    const busy = this.#device.waiting > 0 || this.#fetcher.underWay >= FETCHES_AHEAD_MAX;
    return busy ? 0 : this.#readAhead.count;
  }

  /**
   * Copies the blocks of a chunk that a request for `block` to before `end` wants; false if some of
   * them are not in the cache.
   */
  #copyFromCache(chunk: number, block: number, end: number, into: Uint8Array, scan: boolean): boolean {
    const slot = this.store.find(chunk);
    if (slot < 0) return false;
    const { blockSize, blocksPerChunk } = this.#geometry;
    const first = Math.max(0, block - chunk * blocksPerChunk);
    const from = chunk * blocksPerChunk + first;
    const count = Math.min(blocksPerChunk - first, end - from);
    if (!this.store.holds(slot, mask(first, count))) return false;
    copyApart(into, this.store.blocks(slot, first, count), (from - block) * blockSize);
    if (scan) this.store.usedInPassing(slot);
    else this.store.used(slot);
    this.#hits++;
    return true;
  }

  /**
   * Puts blocks from the `done`th on into the cache, as far as there is room. Returns the number of
   * blocks that are in it then.
   */
  #writeNow(writer: number, block: number, count: number, from: Uint8Array, done: number): number {
    const { blockSize, blocksPerChunk } = this.#geometry;
    let at = done;
    while (at < count) {
      const chunk = this.#geometry.chunkOf(block + at);
      const first = block + at - chunk * blocksPerChunk;
      const blocks = Math.min(blocksPerChunk - first, count - at);
      const bytes = from.subarray(at * blockSize, (at + blocks) * blockSize);
      if (!this.#writeChunk(writer, chunk, mask(first, blocks), first, bytes)) break;
      at += blocks;
    }
    this.#writeBack.work();
    return at;
  }

  /** Writes into one chunk. False if there is no room now: no slot, or too many dirty chunks. */
  #writeChunk(writer: number, chunk: number, set: number, first: number, bytes: Uint8Array): boolean {
    const { store } = this;
    const found = store.find(chunk);
    const clean = found < 0 || (store.dirty(found) === 0 && !store.pinned(found, 'write'));
    if (clean && !this.#writeBack.room) return false;
    const slot = found >= 0 ? found : store.take(chunk, this.#arrival);
    if (slot < 0) return false;
    if (found >= 0) store.used(slot);
    // The chunk that is on its way in was read before this write. It must find the written blocks
    // here, so the slot must stay.
    else if (this.#fetcher.expects(chunk)) store.pin(slot, 'fetch');
    copyApart(store.blocks(slot, first, bytes.byteLength / this.#geometry.blockSize), bytes);
    store.setValid(slot, store.valid(slot) | set);
    this.#writeBack.markDirty(slot, set, writer);
    return true;
  }

  async #writeSlowly(
    writer: number,
    block: number,
    count: number,
    from: Uint8Array,
    done: number,
  ): Promise<void> {
    await this.#writers.acquire();
    try {
      let at = done;
      while (at < count) {
        const before = at;
        at = this.#writeNow(writer, block, count, from, at);
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

  /** How chunks come in that are written to. */
  get #arrival(): Arrival {
    return this.#mode === 'write-around' ? 'passing' : 'wanted';
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
    if (chunks <= this.store.slotsEnd) {
      for (let chunk = first; chunk < first + chunks; chunk++) {
        this.#discardBlocks(this.store.find(chunk), block, count);
      }
      return;
    }
    for (let slot = 0; slot < this.store.slotsEnd; slot++) {
      const chunk = this.store.chunkIn(slot);
      if (chunk >= first && chunk < first + chunks) this.#discardBlocks(slot, block, count);
    }
  }

  #discardBlocks(slot: number, block: number, count: number): void {
    if (slot < 0) return;
    const { store } = this;
    const chunkBlock = this.#geometry.firstBlock(store.chunkIn(slot));
    const from = Math.max(0, block - chunkBlock);
    const to = Math.min(this.#geometry.blocksPerChunk, block + count - chunkBlock);
    const set = mask(from, to - from);
    this.#writeBack.unmarkDirty(slot, set);
    store.setValid(slot, store.valid(slot) & ~set);
    if (store.valid(slot) === 0) store.discard(slot);
  }
}
