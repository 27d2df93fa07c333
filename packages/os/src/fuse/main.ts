/** Mounts a File_system session at a directory of the host. */
import { component, Timer } from '@ginit/core';
import { FileSystem } from '@ginit/core/file_system';
import { mountSession } from './mount-session.ts';
import { FUSE_CONFIG } from './schema.ts';

const manifest = { requires: [FileSystem, Timer], host: ['mount'], config: FUSE_CONFIG } as const;

export default component(manifest, async (env) => {
  const mounted = await mountSession(env);
  env.onStop(() => mounted.stop());
  await env.log(`mounted at ${mounted.path}`);
  await mounted.ended;
  await env.log(`no longer mounted at ${mounted.path}`);
  env.exit(0);
});
