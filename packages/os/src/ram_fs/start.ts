/**
 * The component's file system: memory of its account, a clock, and the files that its config lists.
 */
import type { Env } from '@ginit/core';
import { Budget } from './budget.ts';
import { type ContentEnv, fillWithContent } from './content.ts';
import { RamFileSystem } from './ram-file-system.ts';
import { CoarseClock } from '../lib/coarse-clock.ts';

/** Makes the file system that the config describes. Throws a `ConfigError` at what cannot be. */
export async function startRamFileSystem(
  env: ContentEnv & Pick<Env, 'pd' | 'timer'>,
): Promise<RamFileSystem> {
  const clock = new CoarseClock(env.timer);
  const fs = new RamFileSystem(new Budget(env.pd), () => clock.now());
  await fillWithContent(env, fs);
  return fs;
}
