/**
 * Brings written blocks to the device, in clusters of neighbouring chunks.
 *
 * Rules: Each chunk has at most one cluster under way, because the device keeps no order between
 * requests. Blocks that are copied into a request stop being dirty at that moment, so a later write
 * makes the chunk dirty again. A cluster that fails makes its chunks dirty again; they are marked
 * as failed and are tried again on demand: by a SYNC, or by a write that finds no room otherwise.
 * Nothing is ever dropped.
 */
import { assert, RpcError } from '@ginit/core';
import { Condition } from '@ginit/core/async';
import { SlotLists } from '@ginit/core/block';
import type { BackendDevice } from './backend-device.ts';
import type { ChunkStore } from './chunk-store.ts';
import {
  chunksPerRequest,
  type Cluster,
  type ClusterPart,
  dirtySpan,
  fillRequest,
  neighbours,
} from './cluster.ts';
import { eachRun } from './geometry.ts';

/**
 * The largest number of clusters under way that nobody waits for, and of all clusters under way.
 */
const BACKGROUND_CLUSTERS_MAX = 2;
const CLUSTERS_MAX = 4;
/**
 * A cluster takes at most this part of the largest request, so that reads get through to the device
 * beside clusters.
 */
const REQUEST_PART = 2;
/**
 * Lists of slots, the first to become dirty first: dirty slots that are not under way, and those
 * that failed.
 */
const WAITING = 1;
const FAILED = 2;

export class WriteBack {
  /** The largest number of chunks that are dirty or on their way to the device at the same time. */
  readonly dirtyMax: number;
  /** Signalled when a cluster has ended: its chunks may be clean now. */
  readonly ended = new Condition();
  readonly #store: ChunkStore;
  readonly #device: BackendDevice;
  readonly #chunksMax: number;
  readonly #lists: SlotLists;
  readonly #clusters = new Map<number, Cluster>();
  #dirtyCount = 0;
  #underWay = 0;
  #clock = 0;
  #gate: Promise<void> | undefined;
  #requests = 0;

  constructor(store: ChunkStore, device: BackendDevice) {
    this.#store = store;
    this.#device = device;
    this.dirtyMax = Math.max(1, Math.floor(store.slots / 2));
    const requestBytes = device.requestBlocksMax * device.info.blockSize;
    this.#chunksMax = Math.max(1, Math.floor(chunksPerRequest(requestBytes) / REQUEST_PART));
    this.#lists = new SlotLists(store.slots, FAILED);
    store.onDirtyInTheWay = (slot) => {
      if (this.#mayStart(BACKGROUND_CLUSTERS_MAX)) this.#start(slot);
    };
  }

  /** The number of chunks that are dirty or on their way to the device. */
  get dirtyCount(): number {
    return this.#dirtyCount;
  }

  /** The number of write requests made to the device. */
  get requests(): number {
    return this.#requests;
  }

  /** A time later than every write and cluster so far. */
  now(): number {
    this.#clock++;
    return this.#clock;
  }

  /** Whether a chunk that is clean now may become dirty. */
  get room(): boolean {
    return this.#dirtyCount < this.dirtyMax;
  }

  /** Notes that blocks of a slot were written. */
  markDirty(slot: number, set: number): void {
    const store = this.#store;
    const before = store.dirty[slot] ?? 0;
    store.dirty[slot] = before | set;
    if (before !== 0 || store.pinned(slot, 'write')) return;
    this.#lists.putLast(slot, WAITING);
    this.#dirtyCount++;
  }

  /** Notes that blocks of a slot that is not under way must not be written any more. */
  unmarkDirty(slot: number, set: number): void {
    const store = this.#store;
    const before = store.dirty[slot] ?? 0;
    store.dirty[slot] = before & ~set;
    if (before === 0 || store.dirty[slot] !== 0) return;
    this.#lists.remove(slot);
    store.failed[slot] = 0;
    this.#dirtyCount--;
  }

  /** Starts to write when many chunks are dirty, so that writers need not wait later. */
  work(): void {
    while (this.#dirtyCount > this.dirtyMax / 2 && this.#lists.length(WAITING) > 0) {
      if (!this.#mayStart(BACKGROUND_CLUSTERS_MAX)) return;
      this.#start(this.#lists.first(WAITING));
    }
  }

  /**
   * Starts to write the oldest chunks. Settles when a chunk may have become clean; undefined if
   * nothing is under way.
   */
  makeRoom(): Promise<void> | undefined {
    if (this.#gate) return this.#gate;
    while (this.#lists.length(WAITING) > 0 && this.#mayStart(CLUSTERS_MAX))
      this.#start(this.#lists.first(WAITING));
    return this.#underWay > 0 ? this.ended.wait() : undefined;
  }

  /** Tries again to write the chunks that failed. Rejects if some of them fail again. */
  async retryFailed(): Promise<void> {
    assert(this.#lists.length(FAILED) > 0, 'there is something that failed');
    const failure = await this.#start(this.#lists.first(FAILED)).done;
    if (failure) throw failure;
  }

  /**
   * Settles when everything that was written before the call is on the device. Rejects with the
   * reason if some of it is not.
   */
  flush(): Promise<void> {
    const store = this.#store;
    const chunks: number[] = [];
    const add = (slot: number): void => void chunks.push(store.chunkIn(slot));
    for (const list of [WAITING, FAILED]) {
      for (let slot = this.#lists.first(list); slot >= 0; slot = this.#lists.after(slot)) add(slot);
    }
    for (const slot of this.#clusters.keys()) add(slot);
    return this.settle(Float64Array.from(chunks).toSorted());
  }

  /**
   * Settles when everything that was written to these chunks before the call is on the device.
   * Rejects with the reason if it is not.
   */
  async settle(chunks: Iterable<number>): Promise<void> {
    const since = this.now();
    const clusters = new Set<Cluster>();
    for (const chunk of chunks) {
      const cluster = await this.#clusterWith(chunk, since);
      if (cluster) clusters.add(cluster);
    }
    let failure: RpcError | undefined;
    for (const cluster of clusters) failure = (await cluster.done) ?? failure;
    if (failure) throw failure;
  }

  /** Runs `work` while nothing is under way to the device, and nothing starts. */
  async exclude<Result>(work: () => Promise<Result>): Promise<Result> {
    while (this.#gate) await this.#gate;
    let open = (): void => {};
    this.#gate = new Promise((resolve) => (open = resolve));
    try {
      while (this.#underWay > 0) await this.ended.wait();
      return await work();
    } finally {
      this.#gate = undefined;
      open();
      this.work();
    }
  }

  /**
   * A cluster, formed after `since`, with the blocks of the chunk that were dirty then; undefined
   * if they are on the device.
   */
  async #clusterWith(chunk: number, since: number): Promise<Cluster | undefined> {
    const store = this.#store;
    for (;;) {
      const slot = store.find(chunk);
      if (slot < 0) return undefined;
      const cluster = this.#clusters.get(slot);
      // An older cluster may have begun before the write. After its end, blocks that were not in it
      // are still dirty.
      if (cluster) {
        if (cluster.formedAt > since) return cluster;
        await cluster.done;
      } else if (store.dirty[slot] === 0) return undefined;
      else if (this.#gate) await this.#gate;
      else if (this.#underWay >= CLUSTERS_MAX) await this.ended.wait();
      else return this.#start(slot);
    }
  }

  #mayStart(clustersMax: number): boolean {
    return this.#gate === undefined && this.#underWay < clustersMax;
  }

  /** Starts to write a slot that is dirty and not under way, together with neighbours that fit. */
  #start(slot: number): Cluster {
    const span = dirtySpan(this.#store, slot);
    const requests = span ? [neighbours(this.#store, span, this.#chunksMax)] : this.#runs(slot);
    const slots = span ? (requests[0] ?? []).map((part) => part.slot) : [slot];
    for (const member of slots) {
      this.#lists.remove(member);
      this.#store.pin(member, 'write');
      this.#store.failed[member] = 0;
    }
    this.#underWay++;
    const cluster = { formedAt: this.now(), done: this.#write(slots, requests) };
    for (const member of slots) this.#clusters.set(member, cluster);
    return cluster;
  }

  /**
   * The requests for a slot. A chunk with gaps whose content is not known goes in several requests.
   */
  #runs(slot: number): ClusterPart[][] {
    const runs: ClusterPart[][] = [];
    eachRun(this.#store.dirty[slot] ?? 0, (first, count) => runs.push([{ slot, first, count }]));
    return runs;
  }

  async #write(
    slots: readonly number[],
    requests: readonly (readonly ClusterPart[])[],
  ): Promise<RpcError | undefined> {
    const failures = await Promise.all(requests.map((parts) => this.#request(parts)));
    const failure = failures.find((found) => found !== undefined);
    this.#underWay--;
    for (const slot of slots) this.#settleSlot(slot, failure !== undefined);
    this.ended.wakeAll();
    this.work();
    return failure;
  }

  async #request(parts: readonly ClusterPart[]): Promise<RpcError | undefined> {
    const store = this.#store;
    const { slot, first } = parts[0] ?? { slot: 0, first: 0 };
    const block = store.geometry.firstBlock(store.chunkIn(slot)) + first;
    const count = parts.reduce((sum, part) => sum + part.count, 0);
    this.#requests++;
    try {
      await this.#device.writeWith(block, count, (payload) => fillRequest(store, parts, payload));
      return undefined;
    } catch (error) {
      if (error instanceof RpcError) return error;
      throw error;
    }
  }

  #settleSlot(slot: number, failed: boolean): void {
    const store = this.#store;
    if (failed) store.dirty[slot] = (store.dirty[slot] ?? 0) | (store.writing[slot] ?? 0);
    store.writing[slot] = 0;
    store.unpin(slot, 'write');
    this.#clusters.delete(slot);
    if (store.dirty[slot] === 0) this.#dirtyCount--;
    else if (failed) {
      store.failed[slot] = 1;
      this.#lists.putLast(slot, FAILED);
    } else this.#lists.putLast(slot, WAITING);
  }
}
