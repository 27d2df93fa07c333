/**
 * A file system server: a file system in the manner of NetBSD's rump kernels over one Block
 * session.
 */
import { component, Timer } from '@ginit/core';
import { Block } from '@ginit/core/block';
import { FileSystem, serveFileSystem } from '@ginit/core/file_system';
import { mountFromConfig, RUMPFS_CONFIG } from './component/mounted.ts';

const manifest = { provides: [FileSystem], requires: [Block, Timer], config: RUMPFS_CONFIG };

export default component(manifest, async (env) => {
  const mounted = await mountFromConfig(env);
  env.onStop(() => mounted.unmount());
  env.provide(FileSystem, (session) =>
    serveFileSystem(session, mounted.backend, {
      config: env.config.read(RUMPFS_CONFIG),
      report: (error) =>
        void env.error(error instanceof Error ? (error.stack ?? error.message) : String(error)),
    }),
  );
});
