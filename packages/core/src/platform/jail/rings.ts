/** Rings of io_uring: a process that has one can ask the kernel for things that no filter sees. */
import { readdirSync, readlinkSync } from 'node:fs';
import { NO_RINGS_POLICY } from './call-policy.ts';
import { filterCode, filterProgram } from './filter-code.ts';
import { jailMeans } from './lacks.ts';

/** The name of a ring among the descriptors of a process. */
const RING = 'anon_inode:[io_uring]';
const PR_SET_NO_NEW_PRIVS = 38;
const SET_FILTER = 1;

/** Whether this process has rings: since Node 24 each event loop has one from its beginning. */
export function hasRings(): boolean {
  return readdirSync('/proc/self/fd').some((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`) === RING;
    } catch {
      // This is the descriptor by which the directory was read.
      return false;
    }
  });
}

/** From now on this thread makes no rings, and neither does anything that it starts. */
export function forbidRings(): void {
  const means = jailMeans();
  if (typeof means === 'string') throw new Error(means);
  const { calls } = means;
  const code = filterCode(NO_RINGS_POLICY);
  calls.must('prctl', PR_SET_NO_NEW_PRIVS, 1);
  calls.must('seccomp', SET_FILTER, 0, filterProgram(code, calls.addressOf(code)));
}
