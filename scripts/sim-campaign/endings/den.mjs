/** A server that the fault plan makes hostile; by itself it is as honest as any. */
import { component } from '@ginit/core';
import { keepShop } from './keep-shop.mjs';
import { Den } from './services.mjs';

export default component({ provides: [Den] }, (env) => {
  keepShop(env, Den);
});
