/** A client of an honest server that the fault plan makes hostile. */
import { component } from '@ginit/core';
import { Shop } from './services.mjs';
import { trade } from './trade.mjs';

export default component({ requires: [Shop] }, async (env) => {
  await trade(env, Shop, Number(env.config.node.value('deals') ?? 2)).catch(() => {});
  env.exit(0);
});
