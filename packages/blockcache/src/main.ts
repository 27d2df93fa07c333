/** A cache of blocks between its clients and the Block session it is routed to. */
import { Block, blockPolicy, component, serveBlock } from '@ginit/core';
import { BLOCKCACHE_CONFIG, openCache } from './open-cache.ts';

export default component({ provides: [Block], requires: [Block], config: BLOCKCACHE_CONFIG }, async (env) => {
  const { cache, flush, close } = await openCache(env);
  env.onStop(close);
  env.provide(Block, (session) =>
    serveBlock(session, cache, {
      writeable: blockPolicy(env.config.read(BLOCKCACHE_CONFIG), session.label),
      closed: flush,
    }),
  );
});
