/**
 * An honest client of an honest server: it finishes its work whatever others do, and whenever it
 * has no session open it has the quota that it had at its start. Then it says so to the judge, and
 * goes.
 */
import { component, hasCode, Timer } from '@ginit/core';
import { Judge, Shop } from './services.mjs';
import { trade } from './trade.mjs';

/**
 * Whether its parent is gone, or has done with it: then its sessions end with it, and nothing comes
 * back to it any more.
 */
async function isOrphan(env) {
  try {
    await env.close(await env.connect(Timer));
    return false;
  } catch (error) {
    return hasCode(error, 'PeerGone') || hasCode(error, 'DENIED');
  }
}

export default component({ requires: [Shop, Judge] }, async (env) => {
  await env.timer.elapsedUs();
  const before = await env.quota();
  await trade(env, Shop, Number(env.config.node.value('deals') ?? 2), async () => {
    const { ramQuota, capQuota } = await env.quota();
    const same = ramQuota === before.ramQuota && capQuota === before.capQuota;
    // A component that has lost its parent has lost its donations with it, and will be ended.
    if (!same && (await isOrphan(env))) return;
    env.assertAlways(same, 'a client that has closed its sessions has its donations back');
  });
  const judge = await env.connect(Judge);
  await judge.done(env.config.node.value('name'));
  env.exit(0);
});
