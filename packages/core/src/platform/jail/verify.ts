/** Looks from outside whether a process is locked up, in all its threads: what it says of itself is not trusted. */
import { readFileSync } from 'node:fs';
import { threadsOf } from './every-thread.ts';

const EXPECTED: readonly (readonly [field: string, pattern: RegExp])[] = [
  ['no_new_privs', /^NoNewPrivs:\t1$/m],
  ['a filter of system calls', /^Seccomp:\t2$/m],
  ['no capabilities', /^CapEff:\t0+$/m],
  ['none to be had', /^CapPrm:\t0+$/m],
];

/** What a thread of the process lacks, in words for people; undefined if all is well. */
export function missingOutside(pid: number): string | undefined {
  for (const thread of threadsOf(pid)) {
    let status: string;
    try {
      status = readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8');
    } catch {
      // It has ended meanwhile.
      continue;
    }
    const missing = EXPECTED.find(([, pattern]) => !pattern.test(status));
    if (missing) return `thread ${thread} has not ${missing[0]}`;
  }
  return undefined;
}
