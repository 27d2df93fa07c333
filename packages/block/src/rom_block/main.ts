/** A ROM module as a block device. */
import { component, Rom } from '@ginit/core';
import { Block, blockPolicy, serveBlock } from '@ginit/core/block';
import { ROM_BLOCK_CONFIG, RomDisk } from './rom-disk.ts';

const manifest = { provides: [Block], requires: [Rom], config: ROM_BLOCK_CONFIG };

export default component(manifest, async (env) => {
  const disk = await RomDisk.open(env);
  env.provide(Block, (session) =>
    serveBlock(session, disk, { writeable: blockPolicy(env.config.read(ROM_BLOCK_CONFIG), session.label) }),
  );
});
