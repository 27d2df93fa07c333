/** What a process holds, as the kernel sees it. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { support } from 'sharedarraybuffer-polyfill';

const found = support();
/** Why tests of shared memory are skipped here; undefined if they are not. */
export const skipReason: string | undefined = found.shared ? undefined : found.reason;

/** What this process holds that a leak would add to. */
export function holdings(): { descriptors: number; mappings: number; devShm: string[] } {
  return {
    descriptors: readdirSync('/proc/self/fd').filter((fd) => /memfd|socket/.test(target(fd))).length,
    mappings: readFileSync('/proc/self/maps', 'utf8')
      .split('\n')
      .filter((line) => /memfd:|\/dev\/zero/.test(line)).length,
    devShm: readdirSync('/dev/shm').toSorted(),
  };
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
