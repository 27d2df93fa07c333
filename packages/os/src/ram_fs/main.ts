/** A file system in memory. */
import { component, Rom, Timer } from '@ginit/core';
import { FileSystem, serveFileSystem } from '@ginit/core/file_system';
import { RAM_FS_CONFIG } from './content.ts';
import { startRamFileSystem } from './start.ts';

const manifest = { provides: [FileSystem], requires: [Timer], mayRequire: [Rom], config: RAM_FS_CONFIG };

export default component(manifest, async (env) => {
  const backend = await startRamFileSystem(env);
  env.provide(FileSystem, (session) =>
    serveFileSystem(session, backend, {
      config: env.config.read(RAM_FS_CONFIG),
      report: (error) =>
        void env.error(error instanceof Error ? (error.stack ?? error.message) : String(error)),
    }),
  );
});
