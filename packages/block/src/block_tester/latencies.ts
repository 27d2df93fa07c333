/** Latencies of a test: a bounded sample of them, and what is said of it. */
import type { Random } from '../lib/random.ts';

/** The most latencies that are kept. Of more, each has the same chance to be among them. */
const SAMPLES_MAX = 8192;

/** Latencies in microseconds: as many percent of the requests took at most so long. */
export interface Percentiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** A sample. */
export class Latencies {
  readonly #random: Random;
  readonly #samples: number[] = [];
  #seen = 0;
  #max = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  add(us: number): void {
    this.#max = Math.max(this.#max, us);
    this.#seen++;
    if (this.#samples.length < SAMPLES_MAX) {
      this.#samples.push(us);
      return;
    }
    const place = this.#random.below(this.#seen);
    if (place < SAMPLES_MAX) this.#samples[place] = us;
  }

  /** `undefined` if there is none. */
  percentiles(): Percentiles | undefined {
    if (this.#samples.length === 0) return undefined;
    const sorted = this.#samples.toSorted((left, right) => left - right);
    const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
    return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: this.#max };
  }
}
