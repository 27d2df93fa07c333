import type { Env } from '@ginit/core';
import { quietDeferred } from '@ginit/core/async';
import type { Child } from './child.ts';

/**
 * Settles when the clients that go on without a child are done with it, before it is stopped. Those
 * that may turn to another server have as long as the child has for its own steps.
 */
export async function untilClientsLeft(
  { timer }: { readonly timer: Pick<Env['timer'], 'after'> },
  { server, start, ended }: Child,
): Promise<void> {
  if (server.isReplaced && !ended) {
    const late = quietDeferred<void>();
    const cancel = timer.after(start.stepBounds.boundMs, () => late.resolve());
    await Promise.race([server.untilLeft(), late.promise]);
    cancel();
    server.dismiss();
  }
  await server.untilClosed();
}
