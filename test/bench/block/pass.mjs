/**
 * Stands between a client and a device, and passes every request on: what one more component costs.
 */
import { component } from '@ginit/core';
import { Block, BlockClient, serveBlock } from '@ginit/core/block';

const BUFFER_BYTES = 16 * 1024 * 1024;

export default component({ provides: [Block], requires: [Block] }, async (env) => {
  const disk = await BlockClient.connect(env, { args: { tx_buf_size: BUFFER_BYTES } });
  env.provide(Block, (session) => serveBlock(session, disk));
});
