/** Answers each call with its argument. An ordinary component: its thread parks when there is nothing to do. */
import { component } from '@ginit/core';
import { pinThread } from '../harness/pin-thread.mjs';
import { Echo } from './session.mjs';

/** The server's main function. */
export function serveEcho(env) {
  pinThread(env.config.integer('serverCpu'));
  env.provide(Echo, () => ({ echo: (message) => message }));
}

export default component({ provides: [Echo] }, serveEcho);
