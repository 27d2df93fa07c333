/**
 * Reads chunks from the device. Requests for a chunk that is on its way join the fetch. Blocks that
 * were written meanwhile stay as they were written. A chunk for which the cache has no room goes to
 * the waiting requests and is not kept.
 */
import { assert, RpcError } from '@ginit/core';
import { copyApart } from '@ginit/core/packet-stream';
import { Condition, settleAll } from '@ginit/core/async';
import type { BackendDevice } from './backend-device.ts';
import type { Arrival, ChunkStore } from './chunk-store.ts';
import { eachRun, mask } from './geometry.ts';

/** A part of a request that waits for a fetch: blocks from `block` on go into `into`. */
interface Waiter {
  readonly block: number;
  readonly into: Uint8Array;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Chunks on their way in. */
interface Fetch {
  readonly first: number;
  readonly count: number;
  readonly waiters: Waiter[];
  /** The end of the chunks that somebody waits for; those behind it are read ahead. */
  readonly wantedEnd: number;
  /** Whether it belongs to a scan, whose chunks only pass by. */
  readonly passing: boolean;
  /**
   * Whether the device's blocks were discarded meanwhile. Then the data is for the requests that
   * wait already, and is not kept.
   */
  stale: boolean;
}

export class Fetcher {
  /** Signalled when a fetch has ended: its chunks may be removable now. */
  readonly ended = new Condition();
  /** The largest number of chunks in one request. */
  readonly chunksMax: number;
  readonly #store: ChunkStore;
  readonly #device: BackendDevice;
  readonly #fetches = new Map<number, Fetch>();
  #underWay = 0;
  #requests = 0;

  constructor(store: ChunkStore, device: BackendDevice) {
    this.#store = store;
    this.#device = device;
    this.chunksMax = Math.max(1, Math.floor(device.requestBlocksMax / store.geometry.blocksPerChunk));
  }

  /** The number of fetches under way. */
  get underWay(): number {
    return this.#underWay;
  }

  /** The number of read requests made to the device. */
  get requests(): number {
    return this.#requests;
  }

  /** Whether the chunk is on its way. */
  expects(chunk: number): boolean {
    return this.#fetches.has(chunk);
  }

  /**
   * Puts blocks from `block` on into `into`, for the chunks from `chunk` on that lie in it and are
   * fetched together; they are not in the cache. At most `chunksWanted` chunks are needed, and up
   * to `chunksAhead` may be brought in besides. Returns the number of chunks that this fetch
   * serves, and a promise for their arrival.
   */
  read(
    chunk: number,
    chunksWanted: number,
    chunksAhead: number,
    block: number,
    into: Uint8Array,
    passing: boolean,
  ): { readonly chunks: number; readonly done: Promise<void> } {
    const underWay = this.#fetches.get(chunk);
    const fetch =
      underWay ?? this.#prepare(chunk, chunksWanted, Math.max(chunksWanted, chunksAhead), passing);
    const chunks = Math.min(chunksWanted, fetch.first + fetch.count - chunk);
    const { blockSize, blocksPerChunk } = this.#store.geometry;
    const from = Math.max(block, chunk * blocksPerChunk);
    const to = Math.min(block + into.byteLength / blockSize, (chunk + chunks) * blocksPerChunk);
    const part = range(into, (from - block) * blockSize, (to - from) * blockSize);
    const done = new Promise<void>((resolve, reject) => {
      fetch.waiters.push({ block: from, into: part, resolve, reject });
    });
    // The device may answer within the call: whoever waits is on the list by then.
    if (underWay === undefined) void this.#run(fetch);
    return { chunks, done };
  }

  /** Brings in those of these chunks that are missing, without a request that waits for them. */
  ahead(first: number, count: number, passing: boolean): void {
    const store = this.#store;
    const end = Math.min(first + count, store.geometry.chunkCount);
    for (let chunk = first; chunk < end; ) {
      const slot = store.find(chunk);
      const there = slot >= 0 && store.holds(slot, store.geometry.wholeMask(chunk));
      if (there || this.#fetches.has(chunk)) {
        chunk++;
        continue;
      }
      const fetch = this.#prepare(chunk, 0, end - chunk, passing);
      chunk += fetch.count;
      void this.#run(fetch);
    }
  }

  /** Notes that the device's content of these chunks has been discarded: data on its way is old. */
  discard(first: number, count: number): void {
    for (const fetch of new Set(this.#fetches.values())) {
      if (fetch.first >= first + count || fetch.first + fetch.count <= first) continue;
      fetch.stale = true;
      this.#release(fetch);
    }
  }

  /**
   * Makes a fetch of as many of `chunks` as possible, and at least of the first one. Somebody
   * waits for the first `wanted` of them. `run` has it begin.
   */
  #prepare(first: number, wanted: number, chunks: number, passing: boolean): Fetch {
    const store = this.#store;
    const limit = Math.min(chunks, this.chunksMax, store.geometry.chunkCount - first);
    const fetch: Fetch = {
      first,
      count: this.#missing(first, limit),
      waiters: [],
      wantedEnd: first + wanted,
      passing,
      stale: false,
    };
    for (let chunk = first; chunk < first + fetch.count; chunk++) {
      this.#fetches.set(chunk, fetch);
      const slot = store.find(chunk);
      if (slot >= 0) store.pin(slot, 'fetch');
    }
    return fetch;
  }

  /**
   * The number of chunks from `first` on, at most `limit`, that are neither in the cache nor on
   * their way. `first` is missing.
   */
  #missing(first: number, limit: number): number {
    const store = this.#store;
    let count = 1;
    for (; count < limit; count++) {
      const chunk = first + count;
      const slot = store.find(chunk);
      if (this.#fetches.has(chunk)) break;
      if (slot >= 0 && store.holds(slot, store.geometry.wholeMask(chunk))) break;
    }
    return count;
  }

  async #run(fetch: Fetch): Promise<void> {
    const { geometry } = this.#store;
    this.#underWay++;
    this.#requests++;
    const block = geometry.firstBlock(fetch.first);
    const end = Math.min(geometry.firstBlock(fetch.first + fetch.count), geometry.blockCount);
    try {
      await this.#device.readWith(block, end - block, (payload) => this.#arrive(fetch, payload));
    } catch (error) {
      this.#fail(fetch, error, end - block);
    }
    this.#underWay--;
    this.ended.wakeAll();
  }

  #arrive(fetch: Fetch, payload: Uint8Array): void {
    if (!fetch.stale) {
      for (let chunk = fetch.first; chunk < fetch.first + fetch.count; chunk++) {
        this.#keep(fetch, chunk, payload);
      }
      this.#release(fetch);
    }
    const first = this.#store.geometry.firstBlock(fetch.first);
    for (const waiter of fetch.waiters) {
      this.#serve(waiter, payload, first);
      waiter.resolve();
    }
  }

  /**
   * Puts a chunk that has arrived into the cache, if there is room. Blocks that were written
   * meanwhile stay.
   */
  #keep(fetch: Fetch, chunk: number, payload: Uint8Array): void {
    const store = this.#store;
    const at = (chunk - fetch.first) * store.geometry.blocksPerChunk;
    const found = store.find(chunk);
    const slot = found >= 0 ? found : store.take(chunk, this.#kind(fetch, chunk));
    if (slot < 0) return;
    const whole = store.geometry.wholeMask(chunk);
    const { blockSize } = store.geometry;
    eachRun(whole & ~store.valid(slot), (first, count) => {
      const start = (at + first) * blockSize;
      copyApart(store.blocks(slot, first, count), range(payload, start, count * blockSize));
    });
    store.setValid(slot, whole);
  }

  #kind(fetch: Fetch, chunk: number): Arrival {
    // Whoever joined a fetch waits for a chunk beyond those that were wanted at first.
    const { blocksPerChunk } = this.#store.geometry;
    const wanted =
      chunk < fetch.wantedEnd ||
      fetch.waiters.some(({ block }) => Math.floor(block / blocksPerChunk) >= fetch.wantedEnd);
    if (wanted) return fetch.passing ? 'passing' : 'wanted';
    return fetch.passing ? 'passing ahead' : 'ahead';
  }

  /** Allows the chunks of a fetch to be removed again. */
  #release(fetch: Fetch): void {
    const store = this.#store;
    for (let chunk = fetch.first; chunk < fetch.first + fetch.count; chunk++) {
      if (this.#fetches.get(chunk) !== fetch) continue;
      this.#fetches.delete(chunk);
      const slot = store.find(chunk);
      if (slot >= 0) store.unpin(slot, 'fetch');
    }
  }

  /**
   * Copies the blocks for a waiter: those that the cache has now, because some may be newer than
   * the device's, and the others from the device.
   */
  #serve({ block, into }: Waiter, payload: Uint8Array, first: number): void {
    const { blockSize } = this.#store.geometry;
    this.copyKnown(block, into, (from, count) => {
      const bytes = range(payload, (from - first) * blockSize, count * blockSize);
      copyApart(into, bytes, (from - block) * blockSize);
    });
  }

  /**
   * Copies those blocks from `block` on that the cache has. Calls `unknown` for the runs that it
   * does not have.
   */
  copyKnown(block: number, into: Uint8Array, unknown: (first: number, count: number) => void): void {
    const store = this.#store;
    const { geometry } = store;
    const { blockSize } = geometry;
    const end = block + into.byteLength / blockSize;
    for (let at = block; at < end; ) {
      const chunk = geometry.chunkOf(at);
      const inChunk = at - geometry.firstBlock(chunk);
      const count = Math.min(end - at, geometry.blocksPerChunk - inChunk);
      const slot = store.find(chunk);
      const wanted = mask(inChunk, count);
      const known = slot >= 0 ? store.valid(slot) & wanted : 0;
      const chunkBlock = geometry.firstBlock(chunk);
      eachRun(known, (first, run) => {
        copyApart(into, store.blocks(slot, first, run), (chunkBlock + first - block) * blockSize);
      });
      eachRun(wanted & ~known, (first, run) => unknown(chunkBlock + first, run));
      at += count;
    }
  }

  /**
   * Handles a failed fetch. The failure must reach only requests for a block that cannot be read,
   * so if the fetch was for more blocks than one request asks for, each request is tried by itself.
   */
  #fail(fetch: Fetch, error: unknown, blocks: number): void {
    assert(error instanceof RpcError, 'a device fails with an RpcError');
    if (!fetch.stale) this.#release(fetch);
    const { blockSize } = this.#store.geometry;
    for (const waiter of fetch.waiters) {
      const hopeless = error.code === 'PeerGone' || waiter.into.byteLength === blocks * blockSize;
      if (hopeless) waiter.reject(error);
      else this.#readExactly(waiter).then(waiter.resolve, waiter.reject);
    }
  }

  /**
   * Reads exactly the blocks that a waiter wants, past the cache. Blocks that the cache has are
   * copied first, and stay right.
   */
  async #readExactly({ block, into }: Waiter): Promise<void> {
    const { blockSize } = this.#store.geometry;
    const runs: { readonly first: number; readonly count: number }[] = [];
    this.copyKnown(block, into, (first, count) => {
      const last = runs.at(-1);
      if (last && last.first + last.count === first)
        runs[runs.length - 1] = { ...last, count: last.count + count };
      else runs.push({ first, count });
    });
    const reads = runs.map(({ first, count }) => {
      const part = into.subarray((first - block) * blockSize, (first - block + count) * blockSize);
      return this.#device.readWith(first, count, (payload) => copyApart(part, payload));
    });
    // All reads have ended before the client gets its memory back.
    await settleAll(reads);
  }
}

/** A part of some bytes. Often it is all of them: then no view is made. */
function range(bytes: Uint8Array, start: number, length: number): Uint8Array {
  return length === bytes.byteLength ? bytes : bytes.subarray(start, start + length);
}
