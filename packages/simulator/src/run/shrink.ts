/**
 * Finds the faults that a failing seed needs. The seed runs again with fewer and fewer of its
 * faults, on the threads of the pool; a run counts if the same property fails. The number of runs
 * is bounded, so more faults may be left than are needed.
 */
import { minimise } from './delta-debugging.ts';
import type { SeedPool } from './seed-pool.ts';
import { hasFailed, propertyOf, type SeedVerdict } from './verdict.ts';

/** The options of shrinking. */
export interface ShrinkOptions {
  readonly anyExit: boolean;
  readonly runsMax: number;
  /**
   * Called before each run with the number of faults that are left and the number of runs so far.
   */
  readonly progress: (faultsLeft: number, runs: number) => void;
}

/** The result of shrinking. */
export interface Shrunk {
  /** The verdict on the seed with the faults that are left. */
  readonly verdict: SeedVerdict;
  readonly runs: number;
  /** Whether none of them can be left out. */
  readonly minimal: boolean;
}

class NoMoreRuns extends Error {}

class Shrinking {
  readonly #pool: SeedPool;
  readonly #options: ShrinkOptions;
  readonly #property: string;
  readonly #known = new Map<string, SeedVerdict>();
  #best: SeedVerdict;
  #runs = 0;

  constructor(failed: SeedVerdict, pool: SeedPool, options: ShrinkOptions) {
    this.#best = failed;
    this.#pool = pool;
    this.#options = options;
    this.#property = propertyOf(failed);
  }

  async run(): Promise<Shrunk> {
    // Faults that found no victim have changed nothing, so they are left out.
    const numbers = this.#best.struck.map(({ number }) => number);
    let minimal = true;
    try {
      const smaller = (list: readonly number[]): readonly number[] => {
        this.#best = this.#known.get(list.join()) ?? this.#best;
        return this.#best.struck.map(({ number }) => number);
      };
      await minimise(numbers, (lists) => this.#firstFailing(lists), smaller);
    } catch (error) {
      if (!(error instanceof NoMoreRuns)) throw error;
      minimal = false;
    }
    return { verdict: this.#best, runs: this.#runs, minimal };
  }

  /** Runs as many lists at the same time as there are threads. */
  async #firstFailing(lists: readonly (readonly number[])[]): Promise<number | undefined> {
    for (let at = 0; at < lists.length; at += this.#pool.threads) {
      const some = lists.slice(at, at + this.#pool.threads);
      const verdicts = await Promise.all(some.map((list) => this.#try(list)));
      const found = verdicts.findIndex((verdict) => this.#same(verdict));
      if (found >= 0) return at + found;
    }
    return undefined;
  }

  #same(verdict: SeedVerdict): boolean {
    return hasFailed(verdict, this.#options.anyExit) && propertyOf(verdict) === this.#property;
  }

  async #try(only: readonly number[]): Promise<SeedVerdict> {
    const key = only.join();
    const known = this.#known.get(key);
    if (known) return known;
    if (this.#runs >= this.#options.runsMax) throw new NoMoreRuns();
    this.#runs++;
    this.#options.progress(this.#best.struck.length, this.#runs);
    const verdict = await this.#pool.run({ seed: this.#best.seed, only });
    this.#known.set(key, verdict);
    return verdict;
  }
}

/** Shrinks the faults of a run that failed. */
export function shrinkFaults(failed: SeedVerdict, pool: SeedPool, options: ShrinkOptions): Promise<Shrunk> {
  return new Shrinking(failed, pool, options).run();
}
