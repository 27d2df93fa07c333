/**
 * The memory of the chunks: segments, each a dataspace or a part of one. Slots are numbered through
 * all of them; when a segment goes its numbers stay empty until another one takes them.
 */
import { assert } from '@ginit/core';
import { copyApart } from '@ginit/core/packet-stream';
import { CHUNK_BYTES } from './geometry.ts';

/** A piece of memory: slots from `first` to before `end`. */
export interface Segment {
  readonly first: number;
  readonly end: number;
}

/** So many views of whole chunks are kept: making one costs an allocation at each hit. */
const VIEWS = 8192;

export class ChunkMemory {
  readonly #granuleChunks: number;
  readonly #blockSize: number;
  /** The memory of each granule; undefined where there is none. */
  readonly #granules: (Uint8Array | undefined)[] = [];
  readonly #retired = new Set<Segment>();
  readonly #views: (Uint8Array | undefined)[] = Array.from({ length: VIEWS });
  /** The slot that each kept view shows. */
  readonly #viewed = new Int32Array(VIEWS).fill(-1);
  #slots = 0;

  constructor(granuleChunks: number, blockSize: number) {
    this.#granuleChunks = granuleChunks;
    this.#blockSize = blockSize;
  }

  /** The number of slots, those of retired segments not counted. */
  get slots(): number {
    return this.#slots;
  }

  /** One more than the largest number of a slot. */
  get end(): number {
    return this.#granules.length * this.#granuleChunks;
  }

  /** Adds memory of whole granules, at the first numbers that are free. */
  add(bytes: Uint8Array): Segment {
    const granuleBytes = this.#granuleChunks * CHUNK_BYTES;
    const count = bytes.byteLength / granuleBytes;
    assert(Number.isInteger(count) && count > 0, 'memory consists of whole granules');
    let at = 0;
    for (let free = 0; free < count; at++) free = this.#granules[at] === undefined ? free + 1 : 0;
    const first = at - count;
    for (let index = 0; index < count; index++) {
      this.#granules[first + index] = bytes.subarray(index * granuleBytes, (index + 1) * granuleBytes);
    }
    this.#slots += count * this.#granuleChunks;
    return { first: first * this.#granuleChunks, end: (first + count) * this.#granuleChunks };
  }

  /** Says that a segment is to go: its slots do not count any more. */
  retire(segment: Segment): void {
    assert(!this.#retired.has(segment), 'a segment goes once');
    this.#retired.add(segment);
    this.#slots -= segment.end - segment.first;
  }

  /** Says that a retired segment stays after all. */
  restore(segment: Segment): void {
    assert(this.#retired.delete(segment), 'what stays was to go');
    this.#slots += segment.end - segment.first;
  }

  isRetired(slot: number): boolean {
    for (const { first, end } of this.#retired) if (slot >= first && slot < end) return true;
    return false;
  }

  /** Removes a retired segment, all of whose slots are empty. */
  remove(segment: Segment): void {
    assert(this.#retired.delete(segment), 'what is removed was retired');
    const [from, to] = [segment.first / this.#granuleChunks, segment.end / this.#granuleChunks];
    for (let at = from; at < to; at++) this.#granules[at] = undefined;
    this.#views.fill(undefined);
    this.#viewed.fill(-1);
    while (this.#granules.length > 0 && this.#granules.at(-1) === undefined) this.#granules.pop();
  }

  /** `count` blocks of a slot, from its block `first` on. */
  blocks(slot: number, first: number, count: number): Uint8Array {
    const whole = count * this.#blockSize === CHUNK_BYTES;
    const place = slot % VIEWS;
    const kept = whole && this.#viewed[place] === slot ? this.#views[place] : undefined;
    if (kept !== undefined) return kept;
    const made = this.#view(slot, first, count);
    if (whole) {
      this.#views[place] = made;
      this.#viewed[place] = slot;
    }
    return made;
  }

  #view(slot: number, first: number, count: number): Uint8Array {
    const granule = this.#granules[Math.floor(slot / this.#granuleChunks)];
    assert(granule !== undefined, 'a slot has memory');
    const start = (slot % this.#granuleChunks) * CHUNK_BYTES + first * this.#blockSize;
    return granule.subarray(start, start + count * this.#blockSize);
  }

  /** Copies the whole chunk of a slot to another one. */
  copy(from: number, to: number): void {
    const blocks = CHUNK_BYTES / this.#blockSize;
    copyApart(this.blocks(to, 0, blocks), this.blocks(from, 0, blocks));
  }
}
