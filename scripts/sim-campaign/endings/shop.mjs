/**
 * An honest server. Now and then it uses all of its own memory. When it is stopped and nobody has a
 * session, it has the quota of its start at least, and uses what it used then.
 */
import { component } from '@ginit/core';
import { keepShop } from './keep-shop.mjs';
import { Shop } from './services.mjs';

const STOCKTAKINGS = 3;

export default component({ provides: [Shop] }, async (env) => {
  await env.timer.elapsedUs();
  const before = await env.quota();
  const { sessions } = keepShop(env, Shop);
  let stock;
  env.onStop(async () => {
    if (sessions() > 0 || stock) return;
    const { ramQuota, ramUsed } = await env.quota();
    env.assertAlways(ramQuota >= before.ramQuota, 'nobody takes the quota of its start from a shop');
    env.assertAlways(ramUsed === before.ramUsed, 'a shop without customers uses what it used at its start');
  });
  for (let round = 0; round < STOCKTAKINGS; round++) {
    await env.timer.sleep(40);
    stock = env.ram.allocate(before.ramQuota - before.ramUsed);
    await stock.then((all) => env.ram.free(all)).catch(() => {});
    stock = undefined;
  }
});
