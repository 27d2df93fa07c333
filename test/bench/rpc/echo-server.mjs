/**
 * Answers each call with its argument. An ordinary component: its thread parks when there is
 * nothing to do.
 */
import { component } from '@ginit/core';
import { Echo } from './session.mjs';

/** The server's main function. */
export function serveEcho(env) {
  env.provide(Echo, () => ({ echo: (message) => message }));
}

export default component({ provides: [Echo] }, serveEcho);
