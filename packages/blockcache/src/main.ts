/** A cache of blocks between its clients and the Block session it is routed to. */
import { Block, blockPolicy, component, serveBlock } from '@ginit/core';
import { blockcacheConfig, openCache } from './open-cache.ts';

export default component({ provides: [Block], requires: [Block], config: blockcacheConfig }, async (env) => {
  const { cache, flush, close } = await openCache(env);
  env.onStop(close);
  env.provide(Block, (session) =>
    serveBlock(session, cache, {
      writeable: blockPolicy(env.config.read(blockcacheConfig), session.label),
      closed: flush,
    }),
  );
});
