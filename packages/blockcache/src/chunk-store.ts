/**
 * The chunks in the cache: where each is, which of its blocks are in memory (`valid`), which of
 * them were written and are not on the device yet (`dirty`), and who has written them. A chunk that
 * is dirty, on its way in or on its way out stays in its slot; any other chunk may have to make
 * room. What is known of a chunk is in typed arrays, by slot: with the policy at most 32 bytes a
 * chunk.
 */
import { assert } from '@ginit/core';
import { ChunkIndex } from './directory/chunk-index.ts';
import { type ChunkNumbers, chunkNumbers, noChunkIn, resized } from './directory/chunk-numbers.ts';
import { SlotQueues } from './directory/slot-queues.ts';
import { ChunkMemory, type Segment } from './chunk-memory.ts';
import type { Geometry } from './geometry.ts';
import { makePolicy } from './policy/make-policy.ts';
import {
  EVICT_TRIES_MAX,
  type PolicyMemory,
  type PolicyName,
  type ReplacementPolicy,
} from './policy/replacement-policy.ts';

/** The reasons, besides being dirty, for which a chunk cannot be removed. */
const PIN = { fetch: 1, write: 2 } as const;
export type Pin = keyof typeof PIN;
const PINS = PIN.fetch | PIN.write;
/** The last write to the device failed. */
const FAILED = 4;
/** It was read ahead, and nobody has asked for it yet. */
const AHEAD = 8;
/** The upper half of the state: when the chunk became dirty, on a clock of sixteen hours. */
const HOUR_SHIFT = 4;
const FLAGS = 15;
export const HOURS = 16;

/**
 * How a chunk comes: because somebody waits for it, or in advance; and whether it only passes by.
 */
export type Arrival = 'wanted' | 'ahead' | 'passing' | 'passing ahead';

/** Queues that are none of the policy's: empty slots, and chunks that only pass by. */
const FREE = 6;
const PASSING = 7;

/** The writer of a chunk that several have written to, or nobody in particular. */
export const ANY_WRITER = 255;

export class ChunkStore implements PolicyMemory {
  readonly geometry: Geometry;
  readonly queues = new SlotQueues(0);
  #policyName: PolicyName;
  /** Called for dirty chunks that are in the way of others. */
  onDirtyInTheWay: (slot: number) => void = () => {};
  /** Called when there is no empty slot for a chunk. */
  onFull: () => void = () => {};
  /** Called for a chunk that was read ahead: somebody has asked for it, or it goes without that. */
  onAhead: (used: boolean) => void = () => {};
  readonly #memory: ChunkMemory;
  #policy: ReplacementPolicy;
  #chunks: ChunkNumbers;
  #index: ChunkIndex;
  #valid = new Uint8Array(0);
  #dirty = new Uint8Array(0);
  #writers = new Uint8Array(0);
  #states = new Uint8Array(0);
  /** Slots that the policy offered and that could not be emptied. */
  readonly #refused = new Int32Array(EVICT_TRIES_MAX);
  #refusedCount = 0;
  #evictions = 0;
  #held = 0;
  readonly #mayGo = (slot: number): boolean => {
    if (this.#dirty[slot] === 0 && ((this.#states[slot] ?? 0) & PINS) === 0) return true;
    if (this.#refusedCount < this.#refused.length) this.#refused[this.#refusedCount++] = slot;
    return false;
  };

  /** An empty store; `granuleChunks` divides the sizes of all memory that it will get. */
  constructor(geometry: Geometry, policyName: PolicyName, granuleChunks: number) {
    this.geometry = geometry;
    this.#policyName = policyName;
    this.#memory = new ChunkMemory(granuleChunks, geometry.blockSize);
    this.#chunks = chunkNumbers(0, geometry.chunkCount);
    this.#index = new ChunkIndex(this.#chunks);
    this.#policy = makePolicy(policyName, this);
  }

  get chunks(): ChunkNumbers {
    return this.#chunks;
  }

  get chunkCount(): number {
    return this.geometry.chunkCount;
  }

  get policyName(): PolicyName {
    return this.#policyName;
  }

  /** The number of slots that chunks may be in. */
  get slots(): number {
    return this.#memory.slots;
  }

  /** One more than the largest number of a slot. */
  get slotsEnd(): number {
    return this.#valid.length;
  }

  get policy(): ReplacementPolicy {
    return this.#policy;
  }

  /** The number of chunks that had to make room since the start. */
  get evictions(): number {
    return this.#evictions;
  }

  get freeSlots(): number {
    return this.queues.length(FREE);
  }

  get chunksHeld(): number {
    return this.#held;
  }

  /** The bytes used beside the data. */
  get overheadBytes(): number {
    const states = 4 * this.#valid.length;
    const { queues, chunks } = this;
    return states + queues.byteLength + chunks.byteLength + this.#index.byteLength + this.#policy.byteLength;
  }

  /** Gives the store more memory: whole granules. */
  add(bytes: Uint8Array): Segment {
    const segment = this.#memory.add(bytes);
    if (this.#memory.end > this.slotsEnd) this.#resizeArrays(this.#memory.end);
    for (let slot = segment.end - 1; slot >= segment.first; slot--) this.queues.putFirst(slot, FREE);
    this.#policy.resized();
    return segment;
  }

  /**
   * Begins to take memory back: chunks in it make way for others, and no new ones come there.
   * `empty` moves them.
   */
  retire(segment: Segment): void {
    this.#memory.retire(segment);
    for (let slot = segment.first; slot < segment.end; slot++) {
      if (this.queues.queueOf(slot) === FREE) this.#toRetired(slot);
    }
    this.#policy.resized();
  }

  /**
   * Moves the chunks of a retired segment to slots elsewhere: to free ones, else in the place of
   * those that the policy lets go. True if it is empty; otherwise what is left is in use, or
   * everything else is.
   */
  empty(segment: Segment): boolean {
    let left = 0;
    for (let slot = segment.first; slot < segment.end; slot++) {
      if (this.chunkIn(slot) === this.#none) continue;
      if (((this.#states[slot] ?? 0) & PINS) !== 0) left++;
      else if (!this.#relocate(slot)) left++;
    }
    return left === 0;
  }

  /** Says that a retired segment stays after all. */
  restore(segment: Segment): void {
    this.#memory.restore(segment);
    for (let slot = segment.first; slot < segment.end; slot++) {
      if (this.chunkIn(slot) === this.#none) this.queues.putFirst(slot, FREE);
    }
    this.#policy.resized();
  }

  /** Takes a segment out that is empty. */
  remove(segment: Segment): void {
    for (let slot = segment.first; slot < segment.end; slot++) {
      assert(this.chunkIn(slot) === this.#none, 'memory that goes is empty');
    }
    this.#memory.remove(segment);
    if (this.#memory.end < this.slotsEnd) this.#resizeArrays(this.#memory.end);
    this.#policy.resized();
  }

  /** The slot of a chunk, or -1. */
  find(chunk: number): number {
    return this.#index.find(chunk);
  }

  /** The chunk in a slot; for an empty one a number that no chunk has. */
  chunkIn(slot: number): number {
    return this.#chunks[slot] ?? -1;
  }

  valid(slot: number): number {
    return this.#valid[slot] ?? 0;
  }

  setValid(slot: number, set: number): void {
    this.#valid[slot] = set;
  }

  dirty(slot: number): number {
    return this.#dirty[slot] ?? 0;
  }

  setDirty(slot: number, set: number): void {
    this.#dirty[slot] = set;
  }

  writer(slot: number): number {
    return this.#writers[slot] ?? 0;
  }

  setWriter(slot: number, writer: number): void {
    this.#writers[slot] = writer;
  }

  /** Whether all blocks of the set are in memory. */
  holds(slot: number, set: number): boolean {
    return ((this.#valid[slot] ?? 0) & set) === set;
  }

  /** `count` blocks of the chunk in a slot. */
  blocks(slot: number, first: number, count: number): Uint8Array {
    return this.#memory.blocks(slot, first, count);
  }

  /** Tells that a chunk was used. */
  used(slot: number): void {
    const state = this.#states[slot] ?? 0;
    if ((state & AHEAD) !== 0) {
      // To have been read ahead and to be read is one use.
      this.#states[slot] = state & ~AHEAD;
      this.onAhead(true);
    } else if (this.queues.queueOf(slot) === PASSING) {
      this.queues.remove(slot);
      this.#policy.insert(slot, this.chunkIn(slot));
    } else this.#policy.hit(slot);
  }

  /** Tells that somebody who only passes by has used a chunk. */
  usedInPassing(slot: number): void {
    if (((this.#states[slot] ?? 0) & AHEAD) !== 0) this.used(slot);
  }

  /**
   * A slot for a chunk that has none, with no valid block; -1 if nothing can make room for it now.
   * One that only passes by goes before all others.
   */
  take(chunk: number, how: Arrival = 'wanted'): number {
    const passes = how === 'passing' || how === 'passing ahead';
    if (this.freeSlots === 0) this.onFull();
    const slot = this.freeSlots > 0 ? this.queues.last(FREE) : this.#evict(chunk, passes);
    if (slot < 0) return slot;
    this.queues.remove(slot);
    this.#chunks[slot] = chunk;
    this.#index.add(slot);
    this.#held++;
    this.#states[slot] = how === 'ahead' || how === 'passing ahead' ? AHEAD : 0;
    if (passes) this.queues.putFirst(slot, PASSING);
    else this.#policy.insert(slot, chunk);
    return slot;
  }

  /** Empties a slot that is neither dirty nor pinned. */
  discard(slot: number): void {
    assert(this.#mayGo(slot), 'what is discarded can go');
    this.#leave(slot);
    this.#clear(slot);
  }

  pin(slot: number, why: Pin): void {
    this.#states[slot] = (this.#states[slot] ?? 0) | PIN[why];
  }

  unpin(slot: number, why: Pin): void {
    this.#states[slot] = (this.#states[slot] ?? 0) & ~PIN[why];
  }

  pinned(slot: number, why: Pin): boolean {
    return ((this.#states[slot] ?? 0) & PIN[why]) !== 0;
  }

  failed(slot: number): boolean {
    return ((this.#states[slot] ?? 0) & FAILED) !== 0;
  }

  setFailed(slot: number, failed: boolean): void {
    const state = this.#states[slot] ?? 0;
    this.#states[slot] = failed ? state | FAILED : state & ~FAILED;
  }

  /** The hour at which the chunk became dirty. */
  hour(slot: number): number {
    return (this.#states[slot] ?? 0) >> HOUR_SHIFT;
  }

  setHour(slot: number, hour: number): void {
    this.#states[slot] = ((this.#states[slot] ?? 0) & FLAGS) | (hour << HOUR_SHIFT);
  }

  get #none(): number {
    return noChunkIn(this.#chunks);
  }

  /**
   * A slot that was emptied for `incoming`; -1 if there is none. What passes by goes first; if
   * nothing does, the policy chooses.
   */
  #evict(incoming: number, passes: boolean): number {
    // Chunks that cannot be written to the device must not be offered again and again, so each
    // round puts them last in the policy's order.
    const rounds = Math.ceil(this.slots / EVICT_TRIES_MAX) + 1;
    for (let round = 0; round < rounds; round++) {
      this.#refusedCount = 0;
      const passing = this.#passing();
      const slot = passing >= 0 ? passing : this.#policy.evict(passes ? this.#none : incoming, this.#mayGo);
      if (slot >= 0) {
        this.#clear(slot);
        this.#evictions++;
        // It may be that all of this segment is to go.
        return this.queues.queueOf(slot) === FREE ? slot : this.#evict(incoming, passes);
      }
      if (!this.#putFailedLast()) return -1;
    }
    return -1;
  }

  /**
   * The oldest chunk that only passes by and may go, taken out of its queue; -1 if there is none.
   */
  #passing(): number {
    let slot = this.queues.last(PASSING);
    for (let tries = 0; slot >= 0 && tries < EVICT_TRIES_MAX / 4; tries++) {
      if (this.#mayGo(slot)) {
        this.queues.remove(slot);
        return slot;
      }
      slot = this.queues.before(slot);
    }
    return -1;
  }

  /**
   * Puts the refused chunks whose write failed last in the policy's order. False if one was refused
   * for another reason, which will pass.
   */
  #putFailedLast(): boolean {
    let onlyFailed = this.#refusedCount > 0;
    for (let index = 0; index < this.#refusedCount; index++) {
      const slot = this.#refused[index] ?? -1;
      const pinned = ((this.#states[slot] ?? 0) & PINS) !== 0;
      if (this.failed(slot) && !pinned) this.used(slot);
      else {
        onlyFailed = false;
        if (!pinned) this.onDirtyInTheWay(slot);
      }
    }
    return onlyFailed;
  }

  /** Moves the chunk in a slot elsewhere, or lets it go if it may. False if neither is possible. */
  #relocate(from: number): boolean {
    const chunk = this.chunkIn(from);
    const to = this.freeSlots > 0 ? this.queues.last(FREE) : this.#evict(this.#none, true);
    // Room may have been made by letting go of this very chunk.
    if (this.chunkIn(from) !== chunk) return true;
    if (to < 0) {
      if (!this.#mayGo(from)) return false;
      this.discard(from);
      return true;
    }
    this.queues.remove(to);
    this.#memory.copy(from, to);
    this.#index.remove(from);
    for (const array of [this.#chunks, this.#valid, this.#dirty, this.#writers, this.#states]) {
      array[to] = array[from] ?? 0;
    }
    this.#index.add(to);
    if (this.queues.queueOf(from) === PASSING) this.queues.move(from, to);
    else this.#policy.move(from, to);
    this.#wipe(from);
    this.#toRetired(from);
    return true;
  }

  #leave(slot: number): void {
    if (this.queues.queueOf(slot) === PASSING) this.queues.remove(slot);
    else this.#policy.remove(slot);
  }

  /** Forgets the chunk in a slot that is in no queue any more; the slot is free then. */
  #clear(slot: number): void {
    if (((this.#states[slot] ?? 0) & AHEAD) !== 0) this.onAhead(false);
    this.#index.remove(slot);
    this.#held--;
    this.#wipe(slot);
    if (this.#memory.isRetired(slot)) this.#toRetired(slot);
    else this.queues.putLast(slot, FREE);
  }

  #wipe(slot: number): void {
    this.#chunks[slot] = this.#none;
    this.#valid[slot] = 0;
    this.#dirty[slot] = 0;
    this.#states[slot] = 0;
  }

  #toRetired(slot: number): void {
    this.queues.remove(slot);
    this.queues.setBits(slot, 0);
  }

  #resizeArrays(slotsEnd: number): void {
    const bytes = (old: Uint8Array): Uint8Array<ArrayBuffer> => {
      const copy = new Uint8Array(slotsEnd);
      copy.set(old.subarray(0, Math.min(slotsEnd, old.length)));
      return copy;
    };
    this.#valid = bytes(this.#valid);
    this.#dirty = bytes(this.#dirty);
    this.#writers = bytes(this.#writers);
    this.#states = bytes(this.#states);
    this.queues.resize(slotsEnd);
    this.#chunks = resized(this.#chunks, slotsEnd);
    this.#index = new ChunkIndex(this.#chunks);
    for (let slot = 0; slot < slotsEnd; slot++) if (this.#chunks[slot] !== this.#none) this.#index.add(slot);
  }

  /** Has another policy take over the chunks. */
  changePolicy(name: PolicyName): void {
    const order: number[] = [];
    this.#policy.each((slot) => void order.push(slot));
    for (const slot of order) this.queues.remove(slot);
    this.#policyName = name;
    this.#policy = makePolicy(name, this);
    for (const slot of order) this.#policy.adopt(slot);
  }
}
