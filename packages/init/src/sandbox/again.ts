/** Retries steps that may wait but must not fail: ends of sessions, and quota on its way back. */
import { type Env, hasCode } from '@ginit/core';

/** The part of the environment that waiting needs. */
export interface WaitingEnv {
  readonly timer: Pick<Env['timer'], 'sleep'>;
}

/** The pause before somebody who has too much to do is asked again. */
const AGAIN_AFTER_MS = 50;

/**
 * Does `step` again until the peer has room for it. Every other error than `LimitExceeded` is
 * thrown on. A peer that cannot be trusted is asked `triesMax` times at most.
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
