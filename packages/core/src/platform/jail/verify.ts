/**
 * Checks from outside whether a process is locked up in all its threads. Its own word is not
 * trusted.
 */
import { readFileSync } from 'node:fs';
import { threadsOf } from './every-thread.ts';

const EXPECTED: readonly (readonly [what: string, pattern: RegExp])[] = [
  ['no_new_privs', /^NoNewPrivs:\t1$/m],
  ['a filter of system calls', /^Seccomp:\t2$/m],
  ['no capabilities', /^CapEff:\t0+$/m],
  ['none to be had', /^CapPrm:\t0+$/m],
];

const FILTERS = /^Seccomp_filters:\t(\d+)$/m;

function filtersOf(status: string): number {
  return Number(FILTERS.exec(status)?.[1] ?? 0);
}

/**
 * The number of filters of system calls that this thread has. Processes that it starts inherit
 * them.
 */
export function filtersHere(): number {
  return filtersOf(readFileSync('/proc/thread-self/status', 'utf8'));
}

/**
 * Says what a thread lacks by its `/proc/PID/task/TID/status`, in words for people; undefined if
 * all is well. The `filtersAtBirth` are those that its process was born under, which say nothing of
 * the jail.
 */
export function missingIn(status: string, filtersAtBirth: number): string | undefined {
  const missing = EXPECTED.find(([, pattern]) => !pattern.test(status));
  if (missing) return missing[0];
  return filtersOf(status) > filtersAtBirth ? undefined : 'the filter of the jail';
}

/**
 * The protection that a thread of the process lacks, in words for people; undefined if all is well.
 */
export function missingOutside(pid: number, filtersAtBirth: number): string | undefined {
  for (const thread of threadsOf(pid)) {
    let status: string;
    try {
      status = readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8');
    } catch {
      // The thread has ended meanwhile.
      continue;
    }
    const missing = missingIn(status, filtersAtBirth);
    if (missing !== undefined) return `thread ${thread} has not ${missing}`;
  }
  return undefined;
}
