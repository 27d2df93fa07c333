/**
 * The chunks in the cache: their memory, and for each chunk which of its blocks are in memory
 * (`valid`), which were written and are not on the device yet (`dirty`), and which are on their way
 * there (`writing`). A chunk that is dirty, on its way in or on its way out stays where it is; any
 * other chunk may have to make room.
 */
import { assert } from '@ginit/core';
import { ChunkIndex } from './chunk-index.ts';
import { CHUNK_BYTES, type Geometry } from './geometry.ts';
import { EVICT_TRIES_MAX, type ReplacementPolicy } from './policy/replacement-policy.ts';

/** The reasons, besides being dirty, for which a chunk cannot be removed. */
const PIN = { fetch: 1, write: 2 } as const;
export type Pin = keyof typeof PIN;

const NO_CHUNK = -1;

export class ChunkStore {
  readonly geometry: Geometry;
  readonly slots: number;
  /** Masks of blocks, by slot. */
  readonly valid: Uint8Array;
  readonly dirty: Uint8Array;
  readonly writing: Uint8Array;
  /** A 1 for each slot whose last write to the device failed. */
  readonly failed: Uint8Array;
  /** Called for dirty chunks that are in the way of others. */
  onDirtyInTheWay: (slot: number) => void = () => {};
  readonly #memory: Uint8Array;
  readonly #policy: ReplacementPolicy;
  readonly #chunks: Float64Array;
  readonly #index: ChunkIndex;
  readonly #pins: Uint8Array;
  /** Stack of empty slots. */
  readonly #free: Int32Array;
  #freeCount: number;
  /** Slots that the policy offered and that could not be emptied. */
  readonly #refused = new Int32Array(EVICT_TRIES_MAX);
  #refusedCount = 0;
  #evictions = 0;
  readonly #mayGo = (slot: number): boolean => {
    if (this.dirty[slot] === 0 && this.#pins[slot] === 0) return true;
    this.#refused[this.#refusedCount] = slot;
    this.#refusedCount++;
    return false;
  };

  /** The length of `memory` is a multiple of the chunk size. */
  constructor(memory: Uint8Array, geometry: Geometry, policy: ReplacementPolicy) {
    const slots = memory.byteLength / CHUNK_BYTES;
    assert(Number.isInteger(slots) && slots > 0, 'the cache holds whole chunks');
    this.geometry = geometry;
    this.slots = slots;
    this.valid = new Uint8Array(slots);
    this.dirty = new Uint8Array(slots);
    this.writing = new Uint8Array(slots);
    this.failed = new Uint8Array(slots);
    this.#memory = memory;
    this.#policy = policy;
    this.#chunks = new Float64Array(slots).fill(NO_CHUNK);
    this.#index = new ChunkIndex(this.#chunks);
    this.#pins = new Uint8Array(slots);
    this.#free = Int32Array.from({ length: slots }, (_, index) => slots - 1 - index);
    this.#freeCount = slots;
  }

  /** The number of chunks that had to make room since the start. */
  get evictions(): number {
    return this.#evictions;
  }

  get chunksHeld(): number {
    return this.slots - this.#freeCount;
  }

  /** The slot of a chunk, or -1. */
  find(chunk: number): number {
    return this.#index.find(chunk);
  }

  /** The chunk in a slot that is in use. */
  chunkIn(slot: number): number {
    return this.#chunks[slot] ?? NO_CHUNK;
  }

  /** Whether all blocks of the set are in memory. */
  holds(slot: number, set: number): boolean {
    return ((this.valid[slot] ?? 0) & set) === set;
  }

  /** `count` blocks of the chunk in a slot. */
  blocks(slot: number, first: number, count: number): Uint8Array {
    const { blockSize } = this.geometry;
    const start = slot * CHUNK_BYTES + first * blockSize;
    return this.#memory.subarray(start, start + count * blockSize);
  }

  /** Tells that a chunk was used. */
  used(slot: number): void {
    this.#policy.hit(slot);
  }

  /**
   * A slot for a chunk that has none, with no valid block; -1 if nothing can make room for it now.
   */
  take(chunk: number): number {
    const slot = this.#freeCount > 0 ? this.#pop() : this.#evict(chunk);
    if (slot < 0) return slot;
    this.#chunks[slot] = chunk;
    this.#index.add(slot);
    this.#policy.insert(slot, chunk);
    return slot;
  }

  /** Empties a slot that is neither dirty nor pinned. */
  discard(slot: number): void {
    assert(this.dirty[slot] === 0 && this.#pins[slot] === 0, 'what is discarded can go');
    this.#policy.remove(slot);
    this.#clear(slot);
    this.#free[this.#freeCount] = slot;
    this.#freeCount++;
  }

  pin(slot: number, why: Pin): void {
    this.#pins[slot] = (this.#pins[slot] ?? 0) | PIN[why];
  }

  unpin(slot: number, why: Pin): void {
    this.#pins[slot] = (this.#pins[slot] ?? 0) & ~PIN[why];
  }

  pinned(slot: number, why: Pin): boolean {
    return ((this.#pins[slot] ?? 0) & PIN[why]) !== 0;
  }

  #pop(): number {
    this.#freeCount--;
    return this.#free[this.#freeCount] ?? -1;
  }

  #evict(incoming: number): number {
    // Chunks that cannot be written to the device must not be offered again and again, so each
    // round puts them last in the policy's order.
    const rounds = Math.ceil(this.slots / EVICT_TRIES_MAX) + 1;
    for (let round = 0; round < rounds; round++) {
      this.#refusedCount = 0;
      const slot = this.#policy.evict(incoming, this.#mayGo);
      if (slot >= 0) {
        this.#clear(slot);
        this.#evictions++;
        return slot;
      }
      if (!this.#putFailedLast()) return -1;
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
      if (this.failed[slot] === 1 && this.#pins[slot] === 0) this.#policy.hit(slot);
      else {
        onlyFailed = false;
        if (this.#pins[slot] === 0) this.onDirtyInTheWay(slot);
      }
    }
    return onlyFailed;
  }

  #clear(slot: number): void {
    this.#index.remove(slot);
    this.#chunks[slot] = NO_CHUNK;
    this.valid[slot] = 0;
  }
}
