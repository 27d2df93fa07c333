/**
 * Chunks that a policy remembers after they have left the cache, in one or two lists, each in the
 * order in which they came. Two lists share one ring: an entry has a bit that says which list it is
 * in, each list has a mark where its oldest entry is or behind which it must be, and what is taken
 * out of the middle leaves a hole. When the ring is full the entries move together; as it has a
 * sixteenth more than the largest number of entries, that costs each new one a few moves at most.
 * An index finds the entries. Ten bytes an entry.
 */
import { assert } from '@ginit/core';
import { ChunkIndex } from './chunk-index.ts';
import { chunkNumbers, type ChunkNumbers, noChunkIn } from './chunk-numbers.ts';

/** The lists. */
export type GhostList = 1 | 2;

const SPARE_PART = 16;
const SPARE_MIN = 8;

export class Ghosts {
  readonly entriesMax: number;
  readonly #ring: ChunkNumbers;
  /** One bit an entry: whether it is in list 2. */
  readonly #second: Uint32Array;
  readonly #index: ChunkIndex;
  readonly #none: number;
  readonly #lengths = new Int32Array(3);
  /** Where the oldest entry of each list is, or a place before it. */
  readonly #oldest = new Int32Array(3);
  /** Entries from `0` to here are in use or holes: the ring begins anew by moving them together. */
  #end = 0;

  constructor(entriesMax: number, chunkCount: number) {
    this.entriesMax = entriesMax;
    const places = entriesMax + Math.max(SPARE_MIN, Math.ceil(entriesMax / SPARE_PART));
    this.#ring = chunkNumbers(places, chunkCount);
    this.#second = new Uint32Array(Math.ceil(places / 32));
    this.#index = new ChunkIndex(this.#ring, entriesMax);
    this.#none = noChunkIn(this.#ring);
  }

  get byteLength(): number {
    return this.#ring.byteLength + this.#second.byteLength + this.#index.byteLength;
  }

  length(list: GhostList): number {
    return this.#lengths[list] ?? 0;
  }

  /** The list that a chunk is in; 0 if it is in none. */
  listOf(chunk: number): GhostList | 0 {
    const place = this.#index.find(chunk);
    return place < 0 ? 0 : this.#listAt(place);
  }

  /** Adds a chunk, which is in no list. There are fewer than `entriesMax`. */
  add(chunk: number, list: GhostList): void {
    assert(this.length(1) + this.length(2) < this.entriesMax, 'the ghosts have room');
    if (this.#end === this.#ring.length) this.#moveTogether();
    const place = this.#end++;
    this.#ring[place] = chunk;
    this.#setList(place, list);
    this.#index.add(place);
    this.#lengths[list] = this.length(list) + 1;
  }

  /** Takes a chunk out of the list that it is in; the result is that list, or 0. */
  remove(chunk: number): GhostList | 0 {
    const place = this.#index.find(chunk);
    if (place < 0) return 0;
    const list = this.#listAt(place);
    this.#drop(place, list);
    return list;
  }

  /** Takes out the oldest chunk of a list that is not empty. */
  removeOldest(list: GhostList): void {
    assert(this.length(list) > 0, 'there is an oldest one');
    let place = this.#oldest[list] ?? 0;
    while (this.#ring[place] === this.#none || this.#listAt(place) !== list) place++;
    this.#oldest[list] = place + 1;
    this.#drop(place, list);
  }

  /** Calls `visit` for all chunks, the oldest first. */
  each(visit: (chunk: number, list: GhostList) => void): void {
    for (let place = 0; place < this.#end; place++) {
      const chunk = this.#ring[place] ?? this.#none;
      if (chunk !== this.#none) visit(chunk, this.#listAt(place));
    }
  }

  #drop(place: number, list: GhostList): void {
    this.#index.remove(place);
    this.#ring[place] = this.#none;
    this.#lengths[list] = this.length(list) - 1;
  }

  #moveTogether(): void {
    let to = 0;
    for (let from = 0; from < this.#end; from++) {
      const chunk = this.#ring[from] ?? this.#none;
      if (chunk === this.#none) continue;
      if (to !== from) {
        this.#ring[to] = chunk;
        this.#setList(to, this.#listAt(from));
        this.#index.move(from, to);
        this.#ring[from] = this.#none;
      }
      to++;
    }
    this.#end = to;
    this.#oldest.fill(0);
  }

  #listAt(place: number): GhostList {
    return ((this.#second[place >>> 5] ?? 0) & (1 << (place & 31))) === 0 ? 1 : 2;
  }

  #setList(place: number, list: GhostList): void {
    const word = this.#second[place >>> 5] ?? 0;
    const bit = 1 << (place & 31);
    this.#second[place >>> 5] = list === 2 ? word | bit : word & ~bit;
  }
}
