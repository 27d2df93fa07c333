/** What init finds out about the thread of a child. */
import type { Capability } from '@ginit/core';
import type { Thread, ThreadState } from '@ginit/core/system';

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
