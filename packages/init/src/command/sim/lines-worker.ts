/**
 * A thread that runs one seed, and gives its lines with the verdict: a run replaces globals, and
 * whoever asks keeps his own.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { runSeed, type SeedVerdict } from '@ginit/simulator';
import { type SeedOptions, systemOf } from './seed-options.ts';

/** The message to the thread. */
export interface LinesTask {
  readonly seed: number;
  readonly options: SeedOptions;
}

/** Its one answer. */
export interface LinesAnswer {
  readonly verdict: SeedVerdict;
  /** The log lines of components, with their labels. */
  readonly log: readonly string[];
  /** The messages of ginit and of the simulator. */
  readonly said: readonly string[];
  readonly schedule: readonly string[];
  readonly images: ReadonlyMap<string, Uint8Array>;
}

// Whoever starts the thread is our own code: what it hands over has this type.
const { seed, options } = workerData as LinesTask;
const log: string[] = [];
const said: string[] = [];
const schedule: string[] = [];
const { images, ...verdict } = await runSeed(seed, systemOf(options), options, {
  line: (text) => log.push(text),
  say: (text) => said.push(text),
  schedule: (text) => schedule.push(text),
});
const answer: LinesAnswer = { verdict, log, said, schedule, images };
parentPort?.postMessage(answer, []);
