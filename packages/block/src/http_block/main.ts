/** A file of an HTTP server as a block device. */
import { component, Rom, Timer } from '@ginit/core';
import { Block, blockPolicy, serveBlock } from '@ginit/core/block';
import { HttpDisk } from './http-disk.ts';
import { HTTP_BLOCK_CONFIG } from './schema.ts';

const manifest = {
  provides: [Block],
  requires: [Timer],
  mayRequire: [Rom],
  host: ['tcp-connect'],
  mayHost: ['file'],
  config: HTTP_BLOCK_CONFIG,
} as const;

export default component(manifest, async (env) => {
  const disk = await HttpDisk.open(env);
  env.onStop(() => disk.close());
  env.provide(Block, (session) =>
    serveBlock(session, disk, {
      writeable: blockPolicy(env.config.read(HTTP_BLOCK_CONFIG), session.label),
    }),
  );
});
