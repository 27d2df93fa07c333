/** The clock, the chance and the console of a program of the host. */
import { getRandomValues } from 'node:crypto';
import type { MountWorld } from '../promises/index.ts';

/** The world of a program, whose lines go to `console`. */
export function hostWorld(console: (line: string) => void): MountWorld {
  return {
    now: async () => Date.now(),
    random: (into) => void getRandomValues(into),
    console,
    after: (ms, handler) => void setTimeout(handler, ms).unref(),
  };
}
