/** Steps that may wait and must not fail: ends of sessions, and quota on its way back. */
import { type Env, hasCode } from '@ginit/core';

/** What waiting needs of the environment. */
export interface WaitingEnv {
  readonly timer: Pick<Env['timer'], 'sleep'>;
}

/** How long somebody who has too much to do is left alone. */
const AGAIN_AFTER_MS = 50;

/**
 * Does `step` until whoever is asked has room for it; any other error than `LimitExceeded` is its own. Somebody who cannot be
 * trusted is asked `triesMax` times.
 */
export async function untilTaken<T>(
  env: WaitingEnv,
  step: () => Promise<T>,
  triesMax = Number.POSITIVE_INFINITY,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await step();
    } catch (error) {
      if (!hasCode(error, 'LimitExceeded') || tries >= triesMax) throw error;
      await env.timer.sleep(AGAIN_AFTER_MS);
    }
  }
}
