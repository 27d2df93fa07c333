/**
 * Two worker threads joined by a MessagePort: how programs without ginit do it. The module that
 * calls this is run in both workers; the main thread waits for the figures and prints them.
 */
import { fileURLToPath } from 'node:url';
import { isMainThread, MessageChannel, parentPort, Worker, workerData } from 'node:worker_threads';
import { pinThread } from './pin-thread.mjs';

/**
 * `server(port, settings)` serves for ever, `client(port, settings)` settles with the figures.
 * Settings come as JSON in the first argument of the command line. If one of them ends before there
 * are figures, so does the other.
 */
export async function runPair(moduleUrl, { server, client }) {
  if (isMainThread) return startPair(moduleUrl);
  const { role, port, settings } = workerData;
  pinThread(role === 'server' ? settings.serverCpu : settings.clientCpu);
  if (role === 'server') return server(port, settings);
  const figures = await client(port, settings);
  // A port of a worker, not a window: there is no origin to name.
  // oxlint-disable-next-line unicorn/require-post-message-target-origin
  parentPort.postMessage(figures);
}

function startPair(moduleUrl) {
  const settings = JSON.parse(process.argv[2] ?? '{}');
  const { port1, port2 } = new MessageChannel();
  const start = (role, port) =>
    new Worker(fileURLToPath(moduleUrl), { workerData: { role, port, settings }, transferList: [port] });
  const workers = [start('server', port1), start('client', port2)];
  for (const worker of workers) worker.once('exit', () => process.exit(1));
  workers[1].on('message', (figures) => {
    console.log(JSON.stringify(figures));
    process.exit(0);
  });
}

/** The command that runs such a module at a place. */
export function pairCommand(moduleUrl, place, settings) {
  return [process.execPath, fileURLToPath(moduleUrl), JSON.stringify({ ...settings, ...place?.threadCpus })];
}
