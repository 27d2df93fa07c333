/** A file of a file system as a block device. */
import { component } from '@ginit/core';
import { Block, blockPolicy, serveBlock } from '@ginit/core/block';
import { FileSystem } from '@ginit/core/file_system';
import { closeAtStop } from '../lib/close-at-stop.ts';
import { VFS_BLOCK_CONFIG, VfsDisk } from './vfs-disk.ts';

const manifest = { provides: [Block], requires: [FileSystem], config: VFS_BLOCK_CONFIG };

export default component(manifest, async (env) => {
  const disk = await VfsDisk.open(env);
  env.onStop(() => closeAtStop(env, () => disk.close()));
  env.provide(Block, (session) =>
    serveBlock(session, disk, {
      writeable: blockPolicy(env.config.read(VFS_BLOCK_CONFIG), session.label),
    }),
  );
});
