/** A tree of files out of parts: other sessions, archives, memory, devices. */
import { component, Log, Rom, Timer } from '@ginit/core';
import { Block } from '@ginit/core/block';
import { FileSystem, serveFileSystem } from '@ginit/core/file_system';
import { Terminal } from '@ginit/core/terminal';
import { VFS_CONFIG } from './schema.ts';
import { Vfs } from './vfs.ts';

const manifest = {
  provides: [FileSystem],
  requires: [Timer],
  mayRequire: [FileSystem, Block, Rom, Terminal, Log],
  config: VFS_CONFIG,
};

export default component(manifest, async (env) => {
  const vfs = await Vfs.start(env);
  env.config.onUpdate(() => vfs.reconfigure());
  env.provide(FileSystem, (session) =>
    serveFileSystem(session, vfs.tree, {
      config: env.config.read(VFS_CONFIG),
      report: (error) =>
        void env.error(error instanceof Error ? (error.stack ?? error.message) : String(error)),
    }),
  );
});
