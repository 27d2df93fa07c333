/** A LOG service whose sessions may take their time to close. */
import { type Env, type Implementation, type Log, type SessionContext } from '@ginit/core';

/**
 * Answers a LOG session request: lines go to the component's own log, with the label of the
 * session. Closing the session takes `delayCloseMs`.
 */
export function openLoggedSession(
  env: Pick<Env, 'log' | 'timer'>,
  { label }: SessionContext<typeof Log>,
  delayCloseMs: number,
): Implementation<typeof Log> {
  return {
    // The client waits as long as our own log takes: so what waits in it is bounded.
    write: (lines) => env.log(lines.replaceAll(/^/gm, `[${label.text}] `)),
    [Symbol.asyncDispose]: async () => {
      if (delayCloseMs > 0) await env.timer.sleep(delayCloseMs);
    },
  };
}
