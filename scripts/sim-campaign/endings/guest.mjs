/**
 * An honest client of a hostile server: it may lose what it has donated, and wait for ever. Nobody
 * waits for it.
 */
import { component } from '@ginit/core';
import { Den } from './services.mjs';
import { trade } from './trade.mjs';

export default component({ requires: [Den] }, async (env) => {
  await trade(env, Den, Number(env.config.node.value('deals') ?? 2)).catch(() => {});
  env.exit(0);
});
