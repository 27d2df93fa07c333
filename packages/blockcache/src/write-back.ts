/**
 * Brings written blocks to the device, in clusters of neighbouring chunks.
 *
 * Rules: Each chunk has at most one cluster under way, because the device keeps no order between
 * requests. Blocks that are copied into a request stop being dirty at that moment, so a later write
 * makes the chunk dirty again. A cluster that fails makes its chunks dirty again; they are marked
 * as failed and are tried again on demand: by a SYNC, or by a write that finds no room otherwise.
 * Who has written such a chunk hears of it by the next SYNC. Nothing is ever dropped.
 *
 * In the background, chunks go in batches, sorted by their places on the device: the oldest half of
 * what is dirty as soon as that is half of what may be, and everything that has been dirty for long
 * (`tick`).
 */
import { assert, RpcError } from '@ginit/core';
import { Condition } from '@ginit/core/async';
import type { BackendDevice } from './backend-device.ts';
import { ANY_WRITER, type ChunkStore, HOURS } from './chunk-store.ts';
import {
  chunksPerRequest,
  type Cluster,
  type ClusterPart,
  dirtySpan,
  fillRequest,
  neighbours,
} from './cluster.ts';
import { eachRun, mask } from './geometry.ts';
import { LateErrors } from './late-errors.ts';

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
 * The least age in ticks of chunks that are written because of it, and the most that is told apart.
 */
const OLD_TICKS = 4;
const TICKS_MAX = HOURS - 1;
/** The largest number of chunks of a batch. */
const BATCH_MAX = 8192;

export class WriteBack {
  /** Signalled when a cluster has ended: its chunks may be clean now. */
  readonly ended = new Condition();
  readonly lateErrors = new LateErrors();
  /** The part of the slots that may be dirty. */
  share: number;
  /** Called when something becomes dirty after nothing was. */
  onDirty: () => void = () => {};
  readonly #store: ChunkStore;
  readonly #device: BackendDevice;
  readonly #chunksMax: number;
  readonly #clusters = new Map<number, Cluster>();
  /**
   * Chunks that are to be written in the background, in the order of the device, the last one
   * first.
   */
  #batch: number[] = [];
  #hour = 0;
  #dirtyCount = 0;
  #failedCount = 0;
  #underWay = 0;
  #clock = 0;
  #gate: Promise<void> | undefined;
  #requests = 0;
  #errors = 0;

  constructor(store: ChunkStore, device: BackendDevice, share: number) {
    this.#store = store;
    this.#device = device;
    this.share = share;
    const requestBytes = device.requestBlocksMax * device.info.blockSize;
    this.#chunksMax = Math.max(1, Math.floor(chunksPerRequest(requestBytes) / REQUEST_PART));
    store.onDirtyInTheWay = (slot) => {
      if (this.#mayStart(BACKGROUND_CLUSTERS_MAX)) this.#start(slot);
    };
  }

  /** The largest number of chunks that are dirty or on their way to the device at the same time. */
  get dirtyMax(): number {
    return Math.max(1, Math.floor(this.#store.slots * this.share));
  }

  /** The number of chunks that are dirty or on their way to the device. */
  get dirtyCount(): number {
    return this.#dirtyCount;
  }

  /** The number of chunks that are dirty because the device has failed to take them. */
  get failedCount(): number {
    return this.#failedCount;
  }

  /** The number of write requests made to the device. */
  get requests(): number {
    return this.#requests;
  }

  /** The number of clusters that have failed. */
  get errors(): number {
    return this.#errors;
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

  /** Notes that somebody has written blocks of a slot. */
  markDirty(slot: number, set: number, writer: number): void {
    const store = this.#store;
    const before = store.dirty(slot);
    store.setDirty(slot, before | set);
    const known = before !== 0 || store.pinned(slot, 'write');
    store.setWriter(slot, known && store.writer(slot) !== writer ? ANY_WRITER : writer);
    if (known) return;
    store.setHour(slot, this.#hour);
    this.#dirtyCount++;
    if (this.#dirtyCount === 1) this.onDirty();
  }

  /** Notes that blocks of a slot that is not under way must not be written any more. */
  unmarkDirty(slot: number, set: number): void {
    const store = this.#store;
    const before = store.dirty(slot);
    store.setDirty(slot, before & ~set);
    if (before === 0 || store.dirty(slot) !== 0) return;
    this.#setFailed(slot, false);
    this.#dirtyCount--;
  }

  /** Starts to write when many chunks are dirty, so that writers need not wait later. */
  work(): void {
    while (this.#mayStart(BACKGROUND_CLUSTERS_MAX)) {
      if (this.#batch.length === 0 && !this.#fillBatch(this.dirtyMax / 2)) return;
      const slot = this.#next();
      if (slot >= 0) this.#start(slot);
    }
  }

  /** Some time has passed. What has been dirty for four ticks is written. */
  tick(): void {
    this.#hour = (this.#hour + 1) % HOURS;
    if (this.#dirtyCount > this.#failedCount && this.#batch.length === 0) {
      this.#gather((age) => age >= OLD_TICKS);
    }
    this.work();
  }

  /**
   * Starts to write the oldest chunks. Settles when a chunk may have become clean; undefined if
   * nothing is under way.
   */
  makeRoom(): Promise<void> | undefined {
    if (this.#gate) return this.#gate;
    while (this.#mayStart(CLUSTERS_MAX)) {
      if (this.#batch.length === 0 && !this.#fillBatch(0)) break;
      const slot = this.#next();
      if (slot >= 0) this.#start(slot);
    }
    return this.#underWay > 0 ? this.ended.wait() : undefined;
  }

  /** Tries again to write a chunk that failed. Rejects if it fails again. */
  async retryFailed(): Promise<void> {
    const store = this.#store;
    let slot = 0;
    while (slot < store.slotsEnd && !(store.failed(slot) && store.dirty(slot) !== 0)) slot++;
    assert(slot < store.slotsEnd, 'there is something that failed');
    const failure = await this.#start(slot).done;
    if (failure) throw failure;
  }

  /**
   * Settles when everything that was written before the call is on the device, or has failed to get
   * there; in that case `lateErrors` knows of it.
   */
  async flush(): Promise<void> {
    const store = this.#store;
    const chunks: number[] = [];
    if (this.#dirtyCount === 0) return;
    for (let slot = 0; slot < store.slotsEnd; slot++) {
      if (store.dirty(slot) !== 0 || store.pinned(slot, 'write')) chunks.push(store.chunkIn(slot));
    }
    await this.#settled(Float64Array.from(chunks).toSorted());
  }

  /**
   * Settles when everything that was written to these chunks before the call is on the device.
   * Rejects with the reason if it is not.
   */
  async settle(chunks: Iterable<number>): Promise<void> {
    const failure = await this.#settled(chunks);
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

  async #settled(chunks: Iterable<number>): Promise<RpcError | undefined> {
    const since = this.now();
    const clusters = new Set<Cluster>();
    for (const chunk of chunks) {
      const cluster = await this.#clusterWith(chunk, since);
      if (cluster) clusters.add(cluster);
    }
    let failure: RpcError | undefined;
    for (const cluster of clusters) failure = (await cluster.done) ?? failure;
    return failure;
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
      } else if (store.dirty(slot) === 0) return undefined;
      else if (this.#gate) await this.#gate;
      else if (this.#underWay >= CLUSTERS_MAX) await this.ended.wait();
      else return this.#start(slot);
    }
  }

  #mayStart(clustersMax: number): boolean {
    return this.#gate === undefined && this.#underWay < clustersMax;
  }

  /** Makes a batch of the older half of what is dirty, if that is more than `least` chunks. */
  #fillBatch(least: number): boolean {
    const waiting = this.#dirtyCount - this.#failedCount - this.#clusters.size;
    if (waiting <= 0 || this.#dirtyCount - this.#failedCount <= least) return false;
    const store = this.#store;
    const byAge = new Float64Array(HOURS);
    for (let slot = 0; slot < store.slotsEnd; slot++) {
      if (!this.#waits(slot)) continue;
      const age = this.#age(slot);
      byAge[age] = (byAge[age] ?? 0) + 1;
    }
    let older = 0;
    let ageMin = TICKS_MAX;
    for (; ageMin > 0; ageMin--) {
      older += byAge[ageMin] ?? 0;
      if (older >= waiting / 2) break;
    }
    this.#gather((age) => age >= ageMin);
    return this.#batch.length > 0;
  }

  #gather(isOld: (age: number) => boolean): void {
    const store = this.#store;
    const batch: number[] = [];
    for (let slot = 0; slot < store.slotsEnd && batch.length < BATCH_MAX; slot++) {
      if (this.#waits(slot) && isOld(this.#age(slot))) batch.push(store.chunkIn(slot));
    }
    this.#batch = batch.toSorted((a, b) => b - a);
  }

  /** Whether a slot is dirty, and neither under way nor failed. */
  #waits(slot: number): boolean {
    const store = this.#store;
    return store.dirty(slot) !== 0 && !store.failed(slot) && !store.pinned(slot, 'write');
  }

  #age(slot: number): number {
    return (this.#hour - this.#store.hour(slot) + HOURS) % HOURS;
  }

  /** The next slot of the batch that still waits; -1 if there is none. */
  #next(): number {
    for (let chunk = this.#batch.pop(); chunk !== undefined; chunk = this.#batch.pop()) {
      const slot = this.#store.find(chunk);
      if (slot >= 0 && this.#waits(slot)) return slot;
    }
    return -1;
  }

  /** Starts to write a slot that is dirty and not under way, together with neighbours that fit. */
  #start(slot: number): Cluster {
    const span = dirtySpan(this.#store, slot);
    const requests = span ? [neighbours(this.#store, span, this.#chunksMax)] : this.#runs(slot);
    const slots = span ? (requests[0] ?? []).map((part) => part.slot) : [slot];
    for (const member of slots) {
      this.#store.pin(member, 'write');
      this.#setFailed(member, false);
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
    eachRun(this.#store.dirty(slot), (first, count) => runs.push([{ slot, first, count }]));
    return runs;
  }

  async #write(
    slots: readonly number[],
    requests: readonly (readonly ClusterPart[])[],
  ): Promise<RpcError | undefined> {
    const failures = await Promise.all(requests.map((parts) => this.#request(parts)));
    const failure = failures.find((found) => found !== undefined);
    this.#underWay--;
    if (failure) this.#errors++;
    for (const slot of slots) this.#settleSlot(slot, failure);
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
      if (!(error instanceof RpcError)) throw error;
      for (const part of parts) {
        store.setDirty(part.slot, store.dirty(part.slot) | mask(part.first, part.count));
      }
      return error;
    }
  }

  #settleSlot(slot: number, failure: RpcError | undefined): void {
    const store = this.#store;
    store.unpin(slot, 'write');
    this.#clusters.delete(slot);
    if (store.dirty(slot) === 0) {
      this.#dirtyCount--;
      return;
    }
    store.setHour(slot, this.#hour);
    if (failure === undefined) return;
    this.#setFailed(slot, true);
    this.lateErrors.add(store.writer(slot), failure);
  }

  #setFailed(slot: number, failed: boolean): void {
    if (this.#store.failed(slot) === failed) return;
    this.#store.setFailed(slot, failed);
    this.#failedCount += failed ? 1 : -1;
  }
}
