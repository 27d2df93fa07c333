/** The task of the pool's threads: each takes a seed and returns its verdict. */
import { workerData } from 'node:worker_threads';
import type { SeedTask, SeedVerdict } from '@ginit/simulator';
import type { SeedOptions } from './seed-options.ts';

// The pool is our own code: what it hands over has this type.
const options = workerData as SeedOptions;
const silent = { line: () => {}, say: () => {}, schedule: () => {} };

/** Runs a seed, silently. */
export default async function runTask({ seed, only = options.only }: SeedTask): Promise<SeedVerdict> {
  // The pool loads this file by `require`. Everything else is imported, as components are, and so
  // passes the same module hooks.
  const { runSeed } = await import('@ginit/simulator/run-seed');
  const { systemOf } = await import('./seed-options.ts');
  const { images: _, ...verdict } = await runSeed(seed, systemOf(options), { ...options, only }, silent);
  return verdict;
}
