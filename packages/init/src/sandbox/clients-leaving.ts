import type { Env } from '@ginit/core';
import type { Child } from './child.ts';

/**
 * Settles when the clients that go on without a child are done with it, before it is stopped. Those
 * that may turn to another server have as long as the child has for its own steps.
 */
export async function untilClientsLeft(
  { timer }: { readonly timer: Pick<Env['timer'], 'sleep'> },
  { server, start, ended }: Child,
): Promise<void> {
  if (server.isReplaced && !ended) {
    // Without a Timer nobody waits: a client that hangs must not hold up the child's end.
    const late = timer.sleep(start.stepBounds.boundMs).catch(() => {});
    await Promise.race([server.untilLeft(), late]);
    server.dismiss();
  }
  await server.untilClosed();
}
