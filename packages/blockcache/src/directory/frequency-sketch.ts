/**
 * How often chunks were used lately, roughly: a count-min sketch of counters of four bits, sixteen
 * for each slot of the cache. A chunk has four counters; the least of them says how often it was
 * used at most. After ten uses a slot all counters are halved, so that the past fades. (G.
 * Einziger, R. Friedman, B. Manes, "TinyLFU: A Highly Efficient Cache Admission Policy", 2017.)
 */
import { hashOf } from './chunk-numbers.ts';

const WORDS_A_SLOT = 2;
const COUNTERS_A_WORD = 8;
const WORDS_MIN = 16;
const USES_A_SLOT = 10;
const COUNT_MAX = 15;
const HASHES = 2 ** 32;
/** Odd numbers that make four hashes of one. */
const SEEDS = [0x9e37_79b1, 0xc2b2_ae3d, 0x27d4_eb2f, 0x1656_67b1] as const;

export class FrequencySketch {
  readonly #words: Int32Array;
  readonly #counters: number;
  readonly #usesMax: number;
  #uses = 0;

  constructor(slots: number) {
    this.#words = new Int32Array(Math.max(WORDS_MIN, WORDS_A_SLOT * slots));
    this.#counters = this.#words.length * COUNTERS_A_WORD;
    this.#usesMax = Math.max(WORDS_MIN, slots) * USES_A_SLOT;
  }

  get byteLength(): number {
    return this.#words.byteLength;
  }

  /** How often the chunk was used, from 0 to 15. */
  frequency(chunk: number): number {
    const hash = hashOf(chunk);
    let least = COUNT_MAX;
    for (let row = 0; row < SEEDS.length; row++) {
      const counter = this.#counter(hash, row);
      const count = ((this.#words[counter >>> 3] ?? 0) >>> ((counter & 7) * 4)) & COUNT_MAX;
      if (count < least) least = count;
    }
    return least;
  }

  /** Notes a use of the chunk. */
  add(chunk: number): void {
    const hash = hashOf(chunk);
    let added = false;
    for (let row = 0; row < SEEDS.length; row++) {
      const counter = this.#counter(hash, row);
      const shift = (counter & 7) * 4;
      const word = this.#words[counter >>> 3] ?? 0;
      if (((word >>> shift) & COUNT_MAX) === COUNT_MAX) continue;
      this.#words[counter >>> 3] = word + (1 << shift);
      added = true;
    }
    if (added && ++this.#uses >= this.#usesMax) this.#halve();
  }

  #halve(): void {
    for (let at = 0; at < this.#words.length; at++) {
      this.#words[at] = ((this.#words[at] ?? 0) >>> 1) & 0x7777_7777;
    }
    this.#uses = this.#uses >>> 1;
  }

  #counter(hash: number, row: number): number {
    let mixed = Math.imul(hash ^ (hash >>> 15), SEEDS[row] ?? 1);
    mixed ^= mixed >>> 13;
    return Math.floor(((mixed >>> 0) / HASHES) * this.#counters);
  }
}
