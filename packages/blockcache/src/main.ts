/** A cache of blocks between its clients and the Block session it is routed to. */
import { component, Timer } from '@ginit/core';
import { Block, blockPolicy, serveBlock } from '@ginit/core/block';
import { Report } from '@ginit/core/report';
import { openCache } from './open-cache.ts';
import { BLOCKCACHE_CONFIG } from './schema.ts';

const manifest = {
  provides: [Block],
  requires: [Block, Timer],
  mayRequire: [Report],
  config: BLOCKCACHE_CONFIG,
};

export default component(manifest, async (env) => {
  const { cache, flush, close } = await openCache(env);
  env.onStop(close);
  env.provide(Block, (session) => {
    const writeable = blockPolicy(env.config.read(BLOCKCACHE_CONFIG), session.label);
    const client = cache.join(session.label.text);
    const closed = async (): Promise<void> => {
      await flush(() => client.sync());
      cache.leave(client);
    };
    try {
      return serveBlock(session, client, { writeable, closed });
    } catch (error) {
      cache.leave(client);
      throw error;
    }
  });
});
