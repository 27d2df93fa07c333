/**
 * Runs seeds on a few threads. Modules are never unloaded, and each run loads fresh ones. So after
 * a number of runs the threads are replaced by new ones, which start while the last runs on the old
 * ones end.
 */
import { Piscina } from 'piscina';
import type { SeedVerdict } from './verdict.ts';

const RUNS_PER_THREAD = 24;
/**
 * The number of runs on a thread if instances share modules: such runs leave nothing behind but
 * garbage for the collector.
 */
const RUNS_PER_THREAD_SHARING = 2000;
/** The exit code for a seed without a verdict, the same as for a failed check of the simulator. */
const GONE_EXIT_CODE = 3;

/** The work of the threads of a pool. */
export interface SeedWork {
  /** The file of the worker. Its default export takes a `SeedTask` and gives a `SeedVerdict`. */
  readonly worker: string;
  /** The data that each thread gets at its start; only the worker knows their meaning. */
  readonly workerData: object;
  /** Whether runs leave no modules behind. */
  readonly sharesModules: boolean;
}

/**
 * A seed, and the numbers of its faults that may happen if they differ from those of the options.
 */
export interface SeedTask {
  readonly seed: number;
  readonly only?: readonly number[];
}

/** A set of threads that start and end together. */
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
      // A thread must go through its event loop between two runs: events that the last run left
      // pending come then.
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
      // The worker is our own code, so its answer has this type.
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

/** The verdict on a seed whose thread has ended, for example because it ran out of memory. */
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

/** The pool of threads. Its user must not have more runs under way than there are threads. */
export class SeedPool {
  readonly #work: SeedWork;
  readonly #threads: number;
  readonly #stray: (error: Error) => void;
  readonly #generations = new Set<Generation>();
  #young: Generation | undefined;

  /** `stray` is called with errors that belong to no run. */
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
