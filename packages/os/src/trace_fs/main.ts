/** Tracing as files: a directory for each subject. */
import { component, requiredPolicy, Timer } from '@ginit/core';
import { FileSystem, serveFileSystem } from '@ginit/core/file_system';
import { Trace } from '@ginit/core/trace';
import { TRACE_FS_CONFIG } from './schema.ts';
import { TraceBackend } from './trace-backend.ts';
import { TraceTree } from './trace-tree.ts';

const manifest = { provides: [FileSystem], requires: [Trace, Timer], config: TRACE_FS_CONFIG };

export default component(manifest, (env) => {
  const report = (error: unknown): void =>
    void env.error(error instanceof Error ? (error.stack ?? error.message) : String(error));
  env.provide(FileSystem, async (session) => {
    const config = env.config.read(TRACE_FS_CONFIG);
    const openedMs = await env.timer.currentTimeMs();
    const tree = await TraceTree.open(env, requiredPolicy(config, session.label), report);
    try {
      const server = await serveFileSystem(session, new TraceBackend(tree, () => openedMs), {
        config,
        report,
      });
      return closing(server, () => tree.close());
    } catch (error) {
      await tree.close();
      throw error;
    }
  });
});

/** The same session, which ends something else, too. */
function closing<Server extends object>(server: Server, also: () => Promise<void>): Server {
  const dispose: unknown = Reflect.get(server, Symbol.asyncDispose) ?? Reflect.get(server, Symbol.dispose);
  const end = async (): Promise<void> => {
    if (typeof dispose === 'function') await Reflect.apply(dispose, server, []);
    await also();
  };
  Object.defineProperty(server, Symbol.asyncDispose, { value: end });
  return server;
}
