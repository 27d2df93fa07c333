/**
 * The component's file system: memory of its account, a clock, and the files that its config lists.
 */
import type { Env } from '@ginit/core';
import { Budget, CoarseClock } from '@ginit/rumpfs/tmpfs-server';
import { type ContentEnv, fillWithContent } from './content.ts';
import { RamFileSystem } from '../lib/ram-file-system.ts';

/** Makes the file system that the config describes. Throws a `ConfigError` at what cannot be. */
export async function startRamFileSystem(
  env: ContentEnv & Pick<Env, 'pd' | 'timer'>,
): Promise<RamFileSystem> {
  const clock = new CoarseClock({
    currentTimeMs: () => env.timer.currentTimeMs(),
    after: (ms, handler) => void env.timer.after(ms, handler),
  });
  const fs = await RamFileSystem.create(new Budget(env.pd), () => clock.now());
  await fillWithContent(env, fs);
  return fs;
}
