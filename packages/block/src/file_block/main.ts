/** A file of the host as a block device. */
import { component } from '@ginit/core';
import { Block, blockPolicy, serveBlock } from '@ginit/core/block';
import { closeAtStop } from '../lib/close-at-stop.ts';
import { FileDisk, FILE_BLOCK_CONFIG, REQUESTS_UNDER_WAY_MAX } from './file-disk.ts';

export default component({ provides: [Block], host: ['file'], config: FILE_BLOCK_CONFIG }, async (env) => {
  const disk = await FileDisk.open(env);
  env.onStop(() => closeAtStop(env, () => disk.close()));
  env.provide(Block, (session) =>
    serveBlock(session, disk, {
      writeable: blockPolicy(env.config.read(FILE_BLOCK_CONFIG), session.label),
      inFlightMax: REQUESTS_UNDER_WAY_MAX,
    }),
  );
});
