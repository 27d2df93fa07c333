/** Scripts a file system: the children of its config are operations, done in their order. */
import { component, SessionError, Timer } from '@ginit/core';
import { FileSystem, FileSystemClient } from '@ginit/core/file_system';
import { readSteps } from './operation.ts';
import { clockOf } from './progress.ts';
import { runSteps } from './run.ts';
import { FS_TOOL_CONFIG } from './schema.ts';

export default component(
  { requires: [FileSystem], mayRequire: [Timer], config: FS_TOOL_CONFIG },
  async (env) => {
    const config = env.config.read(FS_TOOL_CONFIG);
    const steps = readSteps(config.$content);
    const finish = async (problem: string | undefined): Promise<void> => {
      await (problem === undefined ? env.log('fs_tool done') : env.error(problem));
      env.exit(problem === undefined ? 0 : 1);
    };
    let client: FileSystemClient;
    try {
      client = await FileSystemClient.connect(env, {
        label: config.label,
        bufferBytes: config.tx_buf_size,
        root: config.root,
        writeable: config.writeable,
      });
    } catch (error) {
      if (!(error instanceof SessionError)) throw error;
      return finish(error.message);
    }
    const problem = await runSteps(steps, { client, print: (line) => env.log(line), clock: clockOf(env) });
    // If the server is gone, the session may not be closed in good order; the result of the script
    // counts nevertheless.
    await client.close().catch((error: unknown) => {
      if (problem === undefined) throw error;
    });
    await finish(problem);
  },
);
