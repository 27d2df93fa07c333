/**
 * Two processes, one forked by the other: how programs without ginit do it. The module that calls
 * this is run in both; the first is the client and prints the figures.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { pinThread } from './pin-thread.mjs';

/**
 * `server(settings)` serves until its process is ended, `client(child, settings)` settles with the
 * figures. Settings come as JSON in the first argument of the command line, as for `runPair`. If
 * the server ends before the client has its figures, so does the client.
 */
export async function runProcessPair(moduleUrl, { server, client }) {
  const settings = JSON.parse(process.argv[2] ?? '{}');
  if (process.send) {
    pinThread(settings.serverCpu);
    process.on('disconnect', () => process.exit());
    return server(settings);
  }
  const child = fork(fileURLToPath(moduleUrl), [process.argv[2] ?? '{}'], { serialization: 'advanced' });
  child.once('exit', (code, signal) => fail(`the server has ended: ${signal ?? code}`));
  pinThread(settings.clientCpu);
  const figures = await client(child, settings);
  child.removeAllListeners('exit');
  child.kill();
  console.log(JSON.stringify(figures));
  process.exit(0);
}

function fail(reason) {
  console.error(reason);
  process.exit(1);
}
