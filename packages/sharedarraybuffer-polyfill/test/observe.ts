/** Counts what a process holds, as the kernel sees it. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { support } from 'sharedarraybuffer-polyfill';

const found = support();
/** Why tests of shared memory are skipped here; undefined if they are not. */
export const skipReason: string | undefined = found.shared ? undefined : found.reason;

setFlagsFromString('--expose-gc');
const collectGarbage: unknown = runInNewContext('gc');

/**
 * The resources of this process that a leak would add to. Arenas that nobody has any more (that of
 * the self-test is one) go when V8 collects them: so it is told to, and they count neither before
 * nor after.
 */
export function holdings(): { descriptors: number; mappings: number; devShm: string[] } {
  if (typeof collectGarbage !== 'function') throw new Error('V8 has no gc()');
  collectGarbage();
  return {
    descriptors: readdirSync('/proc/self/fd').filter((fd) => /memfd|socket/.test(target(fd))).length,
    mappings: readFileSync('/proc/self/maps', 'utf8')
      .split('\n')
      .filter((line) => /memfd:|\/dev\/zero/.test(line)).length,
    devShm: readdirSync('/dev/shm').toSorted(),
  };
}

/**
 * The same again, for comparison: an arena that V8 has collected only in the meantime is none that
 * was lost.
 */
export function holdingsAfter(before: ReturnType<typeof holdings>): ReturnType<typeof holdings> {
  const now = holdings();
  return { ...now, mappings: Math.max(now.mappings, before.mappings) };
}

function target(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return '';
  }
}

/** A line of /proc/self/status, in KiB. */
export function statusKib(name: string): number {
  const line = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync('/proc/self/status', 'utf8'));
  return Number(line?.[1]);
}

/** KiB of shared memory in the whole system. */
export function systemSharedKib(): number {
  return Number(/^Shmem:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]);
}
