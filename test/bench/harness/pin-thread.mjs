/**
 * Puts the thread that runs this on one CPU. No component can do that by itself, nor should it: those that measure reach
 * past their `env` here, so that ginit's threads are pinned exactly as those of the others are.
 */

/** Pins the thread to `cpu`; -1 leaves it alone. */
export function pinThread(cpu) {
  if (cpu < 0) return;
  const { readlinkSync } = process.getBuiltinModule('node:fs');
  const { spawnSync } = process.getBuiltinModule('node:child_process');
  const thread = readlinkSync('/proc/thread-self').split('/').at(-1);
  // Components have no environment variables, so no PATH either.
  const { status } = spawnSync('taskset', ['-p', '-c', String(cpu), thread], {
    stdio: 'ignore',
    env: { PATH: '/usr/bin:/bin' },
  });
  if (status !== 0) throw new Error(`taskset could not pin thread ${thread} to CPU ${cpu}`);
}
