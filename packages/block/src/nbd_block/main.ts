/** An export of an NBD server as a block device. */
import { component, Rom, Timer } from '@ginit/core';
import { Block, blockPolicy, serveBlock } from '@ginit/core/block';
import { closeAtStop } from '../lib/close-at-stop.ts';
import { RemoteDisk, REQUESTS_UNDER_WAY_MAX } from './remote-disk.ts';
import { NBD_BLOCK_CONFIG } from './schema.ts';

const manifest = {
  provides: [Block],
  requires: [Timer],
  mayRequire: [Rom],
  mayHost: ['tcp-connect', 'unix-connect', 'file'],
  config: NBD_BLOCK_CONFIG,
} as const;

export default component(manifest, async (env) => {
  const disk = await RemoteDisk.open(env);
  env.onStop(() => closeAtStop(env, () => disk.close()));
  env.provide(Block, (session) =>
    serveBlock(session, disk, {
      writeable: blockPolicy(env.config.read(NBD_BLOCK_CONFIG), session.label),
      inFlightMax: REQUESTS_UNDER_WAY_MAX,
    }),
  );
});
