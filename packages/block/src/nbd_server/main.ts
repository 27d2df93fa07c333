/** Block sessions for clients of NBD. */
import { component, Rom, Timer } from '@ginit/core';
import { Block } from '@ginit/core/block';
import { NbdServer } from './nbd-server.ts';
import { NBD_SERVER_CONFIG } from './schema.ts';

const manifest = {
  requires: [Block, Timer],
  mayRequire: [Rom],
  mayHost: ['tcp-listen', 'unix-listen', 'file'],
  config: NBD_SERVER_CONFIG,
} as const;

export default component(manifest, async (env) => {
  const server = await NbdServer.start(env);
  env.onStop(() => server.stop());
  await env.log(`exports at ${server.address}`);
});
