/** A disk image in a file of the host as a block device. */
import { component } from '@ginit/core';
import { Block, blockPolicy, serveBlock } from '@ginit/core/block';
import { closeAtStop } from '../lib/close-at-stop.ts';
import { ImageDisk } from './image-disk.ts';
import { IMAGE_BLOCK_CONFIG } from './schema.ts';

const manifest = { provides: [Block], host: ['file'], config: IMAGE_BLOCK_CONFIG } as const;

export default component(manifest, async (env) => {
  const disk = await ImageDisk.open(env);
  env.onStop(() => closeAtStop(env, () => disk.close()));
  env.provide(Block, (session) =>
    serveBlock(session, disk, {
      writeable: blockPolicy(env.config.read(IMAGE_BLOCK_CONFIG), session.label),
    }),
  );
});
