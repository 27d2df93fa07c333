/** A block device in memory. */
import { Block, blockPolicy, component, serveBlock } from '@ginit/core';
import { ramBlockConfig, RamDisk } from './ram-disk.ts';

export default component({ provides: [Block], config: ramBlockConfig }, async (env) => {
  const disk = await RamDisk.create(env);
  env.provide(Block, (session) =>
    serveBlock(session, disk, { writeable: blockPolicy(env.config.read(ramBlockConfig), session.label) }),
  );
});
