/**
 * Chance by a seed, for components that do things at random and must be able to repeat them:
 * SplitMix32. Every use has a stream of its own, made of the seed and a name, so that one that
 * draws more changes no other.
 */

const STEP = 0x9e37_79b9;

/** A stream of numbers that its seed and its name determine. */
export class Random {
  #state: number;

  /** `seed` is a whole number from 0 to 2^53 - 1. */
  constructor(seed: number, name = '') {
    let mixed = Math.imul((seed | 0) ^ 0x811c_9dc5, 0x0100_0193);
    mixed = Math.imul(mixed ^ Math.floor(seed / 2 ** 32), 0x0100_0193);
    for (let index = 0; index < name.length; index++) {
      mixed = Math.imul(mixed ^ name.charCodeAt(index), 0x0100_0193);
    }
    this.#state = mixed;
  }

  /** A whole number from 0 to 2^32 - 1. */
  u32(): number {
    this.#state = (this.#state + STEP) | 0;
    let mixed = this.#state ^ (this.#state >>> 16);
    mixed = Math.imul(mixed, 0x21f0_aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a_2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  }

  /** A whole number from 0 up to, but not including, `bound`; always 0 if `bound` is 0. */
  below(bound: number): number {
    return Math.floor(((this.u32() * 2 ** 21 + (this.u32() >>> 11)) / 2 ** 53) * bound);
  }

  /** True once in `times`, on average. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  /** Puts a list into a random order, in place. */
  shuffle<Item>(list: Item[]): Item[] {
    for (let last = list.length - 1; last > 0; last--) {
      const other = this.below(last + 1);
      const [left, right] = [list[last], list[other]];
      if (left === undefined || right === undefined) continue;
      list[last] = right;
      list[other] = left;
    }
    return list;
  }
}
