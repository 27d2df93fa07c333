/** A file system server: a file system of NetBSD's kind over one Block session. */
import { Block, component, FileSystem, serveFileSystem, Timer } from '@ginit/core';
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
