/** Numbers by chance, the same for the same seed. */

/** Draws from a seed: Mulberry32. */
export class Draws {
  #state;

  constructor(seed) {
    this.#state = seed >>> 0;
  }

  /** From 0 up to 1, exclusively. */
  unit() {
    this.#state = (this.#state + 0x6d2b_79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** From 0 up to `end`, exclusively. */
  integer(end) {
    return Math.floor(this.unit() * end);
  }
}

/** A function that draws ranks from 0 to `count - 1`; that of rank r weighs 1 / (r + 1)^exponent. */
export function zipf(draws, count, exponent) {
  const sums = new Float64Array(count);
  let sum = 0;
  for (let rank = 0; rank < count; rank++) {
    sum += (rank + 1) ** -exponent;
    sums[rank] = sum;
  }
  return () => {
    const wanted = draws.unit() * sum;
    let [low, high] = [0, count - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle] > wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}

/** The numbers from 0 to `count - 1` in any order. */
export function permuted(draws, count) {
  const numbers = Uint32Array.from({ length: count }, (_, index) => index);
  for (let at = count - 1; at > 0; at--) {
    const other = draws.integer(at + 1);
    [numbers[at], numbers[other]] = [numbers[other], numbers[at]];
  }
  return numbers;
}

/** A function that draws the index of one of the shares, as often as they say. */
export function byShare(draws, shares) {
  const sum = shares.reduce((total, share) => total + share, 0);
  return () => {
    let left = draws.unit() * sum;
    const at = shares.findIndex((share) => (left -= share) < 0);
    return at < 0 ? shares.length - 1 : at;
  };
}
