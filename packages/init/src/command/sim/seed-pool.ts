/**
 * Runs many seeds on a few threads. Modules are never unloaded, and each run loads fresh ones: so a thread is given up
 * for a new one after a number of runs.
 */
import { Worker } from 'node:worker_threads';
import type { SeedOptions } from './run-seed.ts';
import type { SeedVerdict } from './verdict.ts';

const RUNS_PER_THREAD = 24;
const WORKER = new URL('./seed-worker.js', import.meta.url);

/** Which seeds, and on how many threads. */
export interface ManySeeds {
  readonly seeds: readonly [number, number];
  readonly jobs: number;
}

/** Gives out seeds in their order, and keeps the first that failed. */
class Seeds {
  #next: number;
  #last: number;
  failed: SeedVerdict | undefined;

  constructor([first, last]: readonly [number, number]) {
    this.#next = first;
    this.#last = last;
  }

  take(): number | undefined {
    return this.#next <= this.#last ? this.#next++ : undefined;
  }

  /** Only seeds below may still be the first that fails. */
  fail(verdict: SeedVerdict): void {
    if (this.failed && this.failed.seed < verdict.seed) return;
    this.failed = verdict;
    this.#last = Math.min(this.#last, verdict.seed - 1);
  }
}

/**
 * Runs them; `done` is told of each and says whether it failed. Settles with the first that failed, in the order of the
 * seeds, when no seed below it is still to run.
 */
export async function runSeeds(
  { seeds, jobs }: ManySeeds,
  options: SeedOptions,
  done: (verdict: SeedVerdict) => boolean,
): Promise<SeedVerdict | undefined> {
  const source = new Seeds(seeds);
  const count = Math.min(jobs, seeds[1] - seeds[0] + 1);
  await Promise.all(
    Array.from({ length: count }, async () => {
      while (await runThread(source, options, done));
    }),
  );
  return source.failed;
}

/** One thread from its start to its end; false if there are no more seeds. */
async function runThread(
  source: Seeds,
  options: SeedOptions,
  done: (verdict: SeedVerdict) => boolean,
): Promise<boolean> {
  const worker = new Worker(WORKER, { workerData: options });
  try {
    for (let runs = 0; runs < RUNS_PER_THREAD; runs++) {
      const seed = source.take();
      if (seed === undefined) return false;
      const verdict = await ask(worker, seed);
      if (done(verdict)) source.fail(verdict);
    }
    return true;
  } finally {
    await worker.terminate();
  }
}

function ask(worker: Worker, seed: number): Promise<SeedVerdict> {
  return new Promise((resolve, reject) => {
    const answered = (verdict: SeedVerdict): void => settle(() => resolve(verdict));
    const failed = (error: Error): void => settle(() => reject(error));
    const ended = (code: number): void =>
      settle(() => reject(new Error(`the thread of seed ${seed} ended with code ${code}`)));
    const settle = (how: () => void): void => {
      worker.off('message', answered).off('error', failed).off('exit', ended);
      how();
    };
    worker.on('message', answered).on('error', failed).on('exit', ended);
    worker.postMessage(seed, []);
  });
}
