/** Starts the given number of bare workers, each of which reports that it runs, and stays. */
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

if (isMainThread) {
  for (let count = Number(process.argv[2]); count > 0; count--) {
    new Worker(fileURLToPath(import.meta.url)).on('message', (text) => console.log(text));
  }
} else {
  // A port of a worker, not a window: there is no origin to name.
  // oxlint-disable-next-line unicorn/require-post-message-target-origin
  parentPort.postMessage('ready');
  // Listening keeps the worker.
  parentPort.on('message', () => {});
}
