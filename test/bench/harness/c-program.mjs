/**
 * The contender in C, compiled when it is needed: the floor that no runtime on top of the kernel
 * can go below.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCE = fileURLToPath(new URL('./futex.c', import.meta.url));
const FLAGS = ['-O2', '-Wall', '-Wextra', '-pthread'];

/**
 * Compiles the program into `directory`; the result is its path, or `undefined` where gcc cannot.
 */
export function compile(directory) {
  const program = join(directory, 'futex');
  const { status } = spawnSync('gcc', [...FLAGS, '-o', program, SOURCE], { stdio: 'ignore' });
  return status === 0 ? program : undefined;
}

/**
 * The command of a contender at a place, or the reason why it cannot run: `spins` is the number of
 * times that a side polls before it sleeps; `peer` is the kind of the other side, `thread` or
 * `process`.
 */
export function futexCommand(program, place, spins, { warmUpMs, batchMs, batches }, peer = 'thread') {
  if (program === undefined) return { command: [], skipped: 'gcc is not there, or cannot compile it' };
  const { clientCpu = -1, serverCpu = -1 } = place?.threadCpus ?? {};
  const args = [spins, warmUpMs, batchMs, batches, clientCpu, serverCpu];
  return { command: [program, peer, ...args.map(String)] };
}
