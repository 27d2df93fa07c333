/** What init finds out about the thread of a child. */
import type { Capability } from '@ginit/core';
import type { Thread, ThreadState } from '@ginit/core/system';
import type { WaitingEnv } from './again.ts';

/**
 * The end of a channel can be seen before the end of the thread or process behind it. A child that
 * has closed its channel is left alone for this time: if it has crashed, the supervisor reports
 * within it how it did.
 */
const LOST_GRACE_MS = 2000;

/**
 * The state of a thread; `undefined` if the supervisor knows nothing of the thread any more,
 * because its account has ended, and the thread with it.
 */
export function stateOf(thread: Capability<typeof Thread> | undefined): Promise<ThreadState | undefined> {
  return thread ? thread.state().catch(() => undefined) : Promise.resolve(undefined);
}

export function isAlive(state: ThreadState | undefined): boolean {
  return state?.state === 'running' || state?.state === 'starting';
}

/**
 * Finds out what became of the thread of a child whose channel is lost. The thread may have ended
 * already; then its state says whose fault that is. If the report of its end is still on the way,
 * it is waited for: `changed` settles when it has come. A thread that runs on is ended here. The
 * supervisor reports the crashes that it has seen; every other end is to be reported by the caller.
 */
export async function outcomeOfLost(
  thread: Capability<typeof Thread> | undefined,
  timer: WaitingEnv['timer'],
  changed: Promise<void>,
): Promise<{ readonly state: ThreadState | undefined; readonly lives: boolean }> {
  let state = await stateOf(thread);
  if (!thread) return { state, lives: false };
  if (isAlive(state)) {
    // Without a Timer session there is no way to wait, and the child is ended at once.
    await Promise.race([changed, timer.sleep(LOST_GRACE_MS).catch(() => {})]);
    state = await stateOf(thread);
  }
  const lives = isAlive(state);
  if (!lives) return { state, lives };
  await thread.kill().catch(() => {});
  return { state: await stateOf(thread), lives };
}
