/**
 * A client that is never started again: it goes on with the sessions that it is handed in the place
 * of those that it loses.
 */
import { component, hasCode, Timer } from '@ginit/core';
import { Echo } from './echo.mjs';

const PAUSE_MS = 50;
const isGone = (error) => hasCode(error, 'PeerGone') || hasCode(error, 'Revoked');

export default component({ requires: [Echo, Timer] }, async (env) => {
  let healed;
  let echo = await env.connect(Echo, {
    ram: 1000,
    onReattach: (next) => {
      env.assertAlways(next !== echo, 'a session is handed over once');
      echo = next;
      healed?.met();
      healed = undefined;
    },
    onReattachRefused: () => {},
  });
  for (let call = 0; ; call++) {
    const used = echo;
    try {
      env.assertAlways((await used.say(`${call}`)) === `${call}`, 'an answer is that of its call');
    } catch (error) {
      if (!isGone(error)) throw error;
      if (used === echo) healed ??= env.assertEventually('a session takes the place of one that is lost');
    }
    await env.timer.sleep(PAUSE_MS);
  }
});
