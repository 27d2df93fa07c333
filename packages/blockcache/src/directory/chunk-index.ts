/**
 * Finds the place of a chunk in an array of chunk numbers: a hash table with open addressing and
 * linear probing in a typed array, four fifths full at most. An entry is removed by moving up
 * the entries behind it, so there are no marks of removed entries to step over. Its size is no
 * power of two: a power would cost up to twice the memory.
 */
import { type ChunkNumbers, hashOf } from './chunk-numbers.ts';

const LOAD_MAX = 0.8;
const HASHES = 2 ** 32;

export class ChunkIndex {
  #chunks: ChunkNumbers;
  #table: Int32Array;

  /**
   * `chunks` holds the chunk of every place in the table; it is only read here. At most `entries`
   * of them are in the table at a time.
   */
  constructor(chunks: ChunkNumbers, entries = chunks.length) {
    this.#chunks = chunks;
    this.#table = new Int32Array(Math.ceil(entries / LOAD_MAX) + 1).fill(-1);
  }

  get byteLength(): number {
    return this.#table.byteLength;
  }

  /** The place of a chunk, or -1. */
  find(chunk: number): number {
    const table = this.#table;
    for (let at = this.#home(chunk); ; ) {
      const place = table[at] ?? -1;
      if (place < 0 || this.#chunks[place] === chunk) return place;
      at = at + 1 === table.length ? 0 : at + 1;
    }
  }

  /** Adds a place, whose chunk is set and is in the table nowhere else. */
  add(place: number): void {
    let at = this.#home(this.#chunks[place] ?? 0);
    while ((this.#table[at] ?? -1) >= 0) at = this.#after(at);
    this.#table[at] = place;
  }

  /**
   * Says that the chunk at place `from` is at place `to` now; both have its number at the moment.
   */
  move(from: number, to: number): void {
    this.#table[this.#position(from)] = to;
  }

  /** Removes a place, whose chunk is still set. */
  remove(place: number): void {
    let hole = this.#position(place);
    for (let at = this.#after(hole); ; at = this.#after(at)) {
      const other = this.#table[at] ?? -1;
      if (other < 0) break;
      const home = this.#home(this.#chunks[other] ?? 0);
      // The entry may move into the hole unless its home position lies behind the hole.
      if (this.#distance(home, at) < this.#distance(hole, at)) continue;
      this.#table[hole] = other;
      hole = at;
    }
    this.#table[hole] = -1;
  }

  #position(place: number): number {
    let at = this.#home(this.#chunks[place] ?? 0);
    while (this.#table[at] !== place) at = this.#after(at);
    return at;
  }

  #after(at: number): number {
    return at + 1 === this.#table.length ? 0 : at + 1;
  }

  #distance(from: number, to: number): number {
    return to >= from ? to - from : to - from + this.#table.length;
  }

  #home(chunk: number): number {
    return Math.floor((hashOf(chunk) / HASHES) * this.#table.length);
  }
}
