/** What the threads of the pool do: one seed, one verdict. */
import { workerData } from 'node:worker_threads';
import type { SeedOptions } from './run-seed.ts';
import type { SeedTask } from './seed-pool.ts';
import type { SeedVerdict } from './verdict.ts';

// The pool is our own code: what it hands over has this type.
const options = workerData as SeedOptions;
const silent = { line: () => {}, say: () => {}, schedule: () => {} };

/** Runs a seed, silently. */
export default async function runTask({ seed, only = options.only }: SeedTask): Promise<SeedVerdict> {
  // The pool requires this file. Everything else is imported, as components are, and passes the same hooks for modules.
  const { runSeed } = await import('./run-seed.ts');
  const { images: _, ...verdict } = await runSeed(seed, { ...options, only }, silent);
  return verdict;
}
