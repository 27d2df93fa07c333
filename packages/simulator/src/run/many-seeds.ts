/** Runs a range of seeds in their order, and keeps the first that failed. */
import type { SeedPool } from './seed-pool.ts';
import type { SeedVerdict } from './verdict.ts';

/** Hands out seeds. */
class Seeds {
  #next: number;
  #last: number;
  readonly #all: boolean;
  failed: SeedVerdict | undefined;

  constructor([first, last]: readonly [number, number], all: boolean) {
    this.#all = all;
    this.#next = first;
    this.#last = last;
  }

  take(): number | undefined {
    return this.#next <= this.#last ? this.#next++ : undefined;
  }

  /**
   * Notes a failed seed. Only seeds below it may still be the first that fails; the others need not
   * run, unless all are to.
   */
  fail(verdict: SeedVerdict): void {
    if (this.failed && this.failed.seed < verdict.seed) return;
    this.failed = verdict;
    if (!this.#all) this.#last = Math.min(this.#last, verdict.seed - 1);
  }
}

/**
 * Runs the seeds; with `all` also those behind a seed that fails. `done` is called with each
 * verdict and says whether the seed failed. Settles with the first failed seed, in the order of the
 * seeds, when no seed below it is still to run.
 */
export async function runSeeds(
  pool: SeedPool,
  range: readonly [number, number],
  all: boolean,
  done: (verdict: SeedVerdict) => boolean,
): Promise<SeedVerdict | undefined> {
  const seeds = new Seeds(range, all);
  const one = async (): Promise<void> => {
    for (let seed = seeds.take(); seed !== undefined; seed = seeds.take()) {
      const verdict = await pool.run({ seed });
      if (done(verdict)) seeds.fail(verdict);
    }
  };
  await Promise.all(Array.from({ length: pool.threads }, one));
  return seeds.failed;
}
