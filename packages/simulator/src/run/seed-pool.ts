/**
 * Runs seeds on a few threads. Modules are never unloaded, and each run loads fresh ones: so after a number of runs the
 * threads are given up for new ones, which begin while the last runs on the old ones end.
 */
import { Piscina } from 'piscina';
import type { SeedVerdict } from './verdict.ts';

const RUNS_PER_THREAD = 24;
/** Of which nothing stays but what the collector takes. */
const RUNS_PER_THREAD_SHARING = 2000;
/** As when a check of the simulator's fails: there is no verdict on the seed. */
const GONE_EXIT_CODE = 3;

/** What the threads of a pool run. */
export interface SeedWork {
  /** File of the worker: its default export takes a `SeedTask` and gives a `SeedVerdict`. */
  readonly worker: string;
  /** What each thread is told at its start: the worker's own affair. */
  readonly workerData: object;
  /** Whether runs leave no modules behind. */
  readonly sharesModules: boolean;
}

/** A seed, and which of its faults may happen if not those that the options say. */
export interface SeedTask {
  readonly seed: number;
  readonly only?: readonly number[];
}

/** Threads that end together. */
class Generation {
  readonly #pool: Piscina;
  #left: number;
  #running = 0;

  constructor(work: SeedWork, threads: number, stray: (error: Error) => void) {
    this.#left = threads * (work.sharesModules ? RUNS_PER_THREAD_SHARING : RUNS_PER_THREAD);
    this.#pool = new Piscina({
      filename: work.worker,
      workerData: work.workerData,
      minThreads: threads,
      maxThreads: threads,
      // A thread must go through its event loop between two runs: what the last one left pending comes then.
      atomics: 'disabled',
    });
    this.#pool.on('error', stray);
  }

  get worn(): boolean {
    return this.#left <= 0;
  }

  async run(task: SeedTask): Promise<SeedVerdict> {
    this.#left--;
    this.#running++;
    try {
      // The worker is our own code: what it answers has this type.
      return (await this.#pool.run(task)) as SeedVerdict;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return gone(task.seed, reason);
    } finally {
      this.#running--;
      if (this.worn && this.#running === 0) await this.destroy();
    }
  }

  async destroy(): Promise<void> {
    await this.#pool.destroy();
  }
}

/** The verdict on a seed whose thread has ended, as it does when it runs out of memory. */
function gone(seed: number, reason: string): SeedVerdict {
  const problem = `the thread that ran it is gone; ${reason}`;
  return {
    seed,
    code: GONE_EXIT_CODE,
    problem,
    virtualUs: 0,
    tasks: 0,
    hash: 'unknown',
    struck: [],
    happened: new Map(),
  };
}

/** The threads. Whoever uses it has at most as many runs under way as there are threads. */
export class SeedPool {
  readonly #work: SeedWork;
  readonly #threads: number;
  readonly #stray: (error: Error) => void;
  readonly #generations = new Set<Generation>();
  #young: Generation | undefined;

  /** `stray` is told of an error that belongs to no run. */
  constructor(work: SeedWork, threads: number, stray: (error: Error) => void) {
    this.#work = work;
    this.#threads = threads;
    this.#stray = stray;
  }

  get threads(): number {
    return this.#threads;
  }

  /** Runs a seed; never rejects. */
  async run(task: SeedTask): Promise<SeedVerdict> {
    const generation = this.#generation();
    const verdict = await generation.run(task);
    if (generation.worn && generation !== this.#young) this.#generations.delete(generation);
    return verdict;
  }

  /** Ends all threads, at once. */
  async close(): Promise<void> {
    await Promise.all(Array.from(this.#generations, (generation) => generation.destroy()));
    this.#generations.clear();
  }

  #generation(): Generation {
    if (this.#young && !this.#young.worn) return this.#young;
    this.#young = new Generation(this.#work, this.#threads, this.#stray);
    this.#generations.add(this.#young);
    return this.#young;
  }
}
