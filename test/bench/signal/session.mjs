/** The session of ginit's contenders: each side gets a signal of the other. */
import { rpc, session, signal, u53 } from '@ginit/core';

export const Bell = session('Bell', {
  /** Gives the server a signal that it submits whenever its own, the result, wakes it. */
  exchange: rpc({ args: [signal], result: signal }),
  /** Gives a signal that only counts how often it wakes. */
  counting: rpc({ args: [], result: signal }),
  /** The number of times that the counting signal has woken the server since the last call. */
  takeWakeUps: rpc({ args: [], result: u53 }),
});
