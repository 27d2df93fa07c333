/**
 * Keeps a session that costs more than a third of its quota, and opens it anew when its server has
 * crashed; meanwhile it gets the same capability several times at once. Exit code 9 means that it
 * cannot pay any more, though everything that it had donated has come back; 8 means that the server
 * does not come back.
 */
import { component, hasCode } from '@ginit/core';
import { Bank } from './bank.mjs';

const DONATION_BYTES = 1536 * 1024;
const ROUNDS = 90;
const TRIES = 200;
const POOR_EXIT_CODE = 9;
const ALONE_EXIT_CODE = 8;

async function connect(env) {
  for (let tries = 0; tries < TRIES; tries++) {
    try {
      return await env.connect(Bank, { ram: DONATION_BYTES });
    } catch (error) {
      if (hasCode(error, 'OUT_OF_RAM') || hasCode(error, 'INSUFFICIENT_RAM')) return POOR_EXIT_CODE;
      await env.timer.sleep(20);
    }
  }
  return ALONE_EXIT_CODE;
}

export default component({ requires: [Bank] }, async (env) => {
  let bank = await connect(env);
  for (let round = 0; typeof bank !== 'number' && round < ROUNDS; round++) {
    try {
      const tellers = await Promise.all([bank.teller(), bank.teller()]);
      await Promise.all(tellers.map((teller) => teller.count()));
      for (const teller of tellers) teller[Symbol.dispose]();
      await env.timer.sleep(10);
    } catch (error) {
      if (!hasCode(error, 'PeerGone')) throw error;
      await env.close(bank).catch(() => {});
      await env.timer.sleep(20);
      bank = await connect(env);
    }
  }
  env.exit(typeof bank === 'number' ? bank : 0);
});
