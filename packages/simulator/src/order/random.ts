/**
 * The only source of chance in a simulated system: xoshiro128** by Blackman and Vigna
 * (https://prng.di.unimi.it), with a state filled by SplitMix32. Every use has a stream of its own,
 * made of the seed and a name. So if a disk draws one more number, the order in which messages
 * arrive does not change.
 */

const rotate = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits));

function splitMix32(state: number): () => number {
  let current = state;
  return () => {
    current = (current + 0x9e3779b9) | 0;
    let mixed = current ^ (current >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  };
}

/** A stream of numbers that its seed and its name determine. */
export class Random {
  readonly #seed: number;
  readonly #state: Int32Array;

  /** `seed` is a whole number from 0 to 2^53 - 1. */
  constructor(seed: number, name = '') {
    this.#seed = seed;
    let mixed = Math.imul((seed | 0) ^ 0x811c9dc5, 0x01000193);
    mixed = Math.imul(mixed ^ Math.floor(seed / 2 ** 32), 0x01000193);
    for (let index = 0; index < name.length; index++) {
      mixed = Math.imul(mixed ^ name.charCodeAt(index), 0x01000193);
    }
    const next = splitMix32(mixed);
    this.#state = Int32Array.from({ length: 4 }, next);
  }

  /** Another stream of the same seed. */
  stream(name: string): Random {
    return new Random(this.#seed, name);
  }

  /** A whole number from 0 to 2^32 - 1. */
  u32(): number {
    const state = this.#state;
    const [a = 0, b = 0, c = 0, d = 0] = state;
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const third = c ^ a;
    const fourth = d ^ b;
    state[1] = b ^ third;
    state[0] = a ^ fourth;
    state[2] = third ^ (b << 9);
    state[3] = rotate(fourth, 11);
    return result;
  }

  /** A number from 0 up to, but not including, 1. */
  unit(): number {
    return this.u32() / 2 ** 32;
  }

  /** A whole number from 0 up to, but not including, `bound`; always 0 if `bound` is 0. */
  below(bound: number): number {
    return Math.floor(this.unit() * bound);
  }

  /** True once in `times`, on average. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  /** One of a list that is not empty. */
  pick<T>(list: readonly T[]): T {
    const found = list[this.below(list.length)];
    if (found === undefined) throw new RangeError('nothing to pick from');
    return found;
  }
}
