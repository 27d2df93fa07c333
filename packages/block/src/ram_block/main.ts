/** A block device in memory. */
import { component } from '@ginit/core';
import { Block, blockPolicy, serveBlock } from '@ginit/core/block';
import { RAM_BLOCK_CONFIG, RamDisk } from './ram-disk.ts';

export default component({ provides: [Block], config: RAM_BLOCK_CONFIG }, async (env) => {
  const disk = await RamDisk.create(env);
  env.provide(Block, (session) =>
    serveBlock(session, disk, { writeable: blockPolicy(env.config.read(RAM_BLOCK_CONFIG), session.label) }),
  );
});
