/** A thread that runs seeds, one after the other: takes numbers, answers with verdicts. */
import { parentPort, workerData } from 'node:worker_threads';
import { runSeed, type SeedOptions } from './run-seed.ts';
import type { SeedVerdict } from './verdict.ts';

// The pool is our own code: what it hands over has this type.
const options = workerData as SeedOptions;
const silent = { line: () => {}, say: () => {}, schedule: () => {} };

async function run(seed: number): Promise<SeedVerdict> {
  const { code, problem, virtualUs, tasks, hash } = await runSeed(seed, options, silent);
  return { seed, code, problem, virtualUs, tasks, hash };
}

parentPort?.on('message', (seed: number) => {
  void run(seed).then((verdict) => parentPort?.postMessage(verdict, []));
});
