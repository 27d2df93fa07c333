/** Mounts a File_system session at a directory of the host. */
import { component, RpcError, SessionError, Timer } from '@ginit/core';
import { FileSystem } from '@ginit/core/file_system';
import { type MountedSession, mountSession } from './mount-session.ts';
import { FUSE_CONFIG } from './schema.ts';

const manifest = { requires: [FileSystem, Timer], host: ['mount'], config: FUSE_CONFIG } as const;

export default component(manifest, async (env) => {
  let mounted: MountedSession;
  try {
    mounted = await mountSession(env);
  } catch (error) {
    // The session is refused, or the host does not let us: the message says what to do.
    if (!(error instanceof RpcError || error instanceof SessionError)) throw error;
    await env.error(error.message);
    return env.exit(1);
  }
  env.onStop(() => mounted.stop());
  await env.log(`mounted at ${mounted.path}`);
  await mounted.ended;
  await env.log(`no longer mounted at ${mounted.path}`);
  env.exit(0);
});
