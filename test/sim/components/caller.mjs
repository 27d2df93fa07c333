/**
 * A client that opens a session, uses it for a while, and begins again whatever becomes of it. Its
 * manifest does not name the service, so that a config may leave it without one.
 */
import { component, RpcError, Timer } from '@ginit/core';
import { Echo } from './echo.mjs';

const PAUSE_MS = 50;

export default component({ requires: [Timer] }, async (env) => {
  for (;;) {
    try {
      const echo = await env.connect(Echo);
      for (let call = 0; call < 5; call++) {
        await echo.say(`call ${call}`);
        await env.timer.sleep(PAUSE_MS);
      }
      await env.close(echo);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      await env.timer.sleep(PAUSE_MS);
    }
  }
});
