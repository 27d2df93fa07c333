/**
 * Puts the thread that runs this on one CPU. ginit's components are put there by their
 * `<affinity>`.
 */
import { spawnSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';

/** Pins the thread to `cpu`; -1 leaves it alone. */
export function pinThread(cpu) {
  if (cpu < 0) return;
  const thread = readlinkSync('/proc/thread-self').split('/').at(-1);
  const { status } = spawnSync('taskset', ['-p', '-c', String(cpu), thread], { stdio: 'ignore' });
  if (status !== 0) throw new Error(`taskset could not pin thread ${thread} to CPU ${cpu}`);
}
