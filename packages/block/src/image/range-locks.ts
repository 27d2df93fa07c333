/** Exclusion for ranges of numbers: those that overlap wait for each other, others do not. */
import { type Deferred, deferred } from '@ginit/core/async';

interface Held {
  readonly first: number;
  readonly end: number;
  readonly ended: Deferred<void>;
}

/** The ranges that are in use. */
export class RangeLocks {
  readonly #held = new Set<Held>();

  /** Runs `work` when nobody else uses a number from `first` to before `first + count`. */
  async use<Result>(first: number, count: number, work: () => Promise<Result>): Promise<Result> {
    const end = first + count;
    for (let other = this.#overlap(first, end); other; other = this.#overlap(first, end)) {
      await other.ended.promise;
    }
    const mine: Held = { first, end, ended: deferred() };
    this.#held.add(mine);
    try {
      return await work();
    } finally {
      this.#held.delete(mine);
      mine.ended.resolve();
    }
  }

  #overlap(first: number, end: number): Held | undefined {
    for (const held of this.#held) if (held.first < end && first < held.end) return held;
    return undefined;
  }
}
