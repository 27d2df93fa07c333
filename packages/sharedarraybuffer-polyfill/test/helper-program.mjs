// Workers that wait asynchronously on shared words, some of which are terminated; prints how many
// helpers there were.
import { readdirSync } from 'node:fs';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { futexWaitAsync, SharedAtomics, SharedMemory, shareWaitHelper } from 'sharedarraybuffer-polyfill';

const WORKERS = 4;
const HELPER_START_MS = 500;
const threads = () => readdirSync('/proc/self/task').length;
const views = ({ buffer, byteOffset }) => new Int32Array(buffer, byteOffset, 64);

if (isMainThread) {
  const shared = process.argv[2] === 'shared';
  if (shared) shareWaitHelper();
  const memory = SharedMemory.create(4096);
  const words = views(memory);
  const start = (index) => {
    const { buffer, byteOffset } = memory;
    return new Worker(new URL(import.meta.url), {
      workerData: { buffer, byteOffset, index, kind: process.argv[3] },
    });
  };
  const until = async (count) => {
    while (SharedAtomics.load(words, 0) < count) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  // More terminated waits than a board has slots would need leases; these only have to do no harm.
  const doomed = Array.from({ length: WORKERS }, (_, index) => start(index + 1));
  await until(WORKERS);
  // Terminating a helper while it loads koffi may bring the process down; who has no guard
  // (load-guard.ts) must wait.
  await new Promise((resolve) => setTimeout(resolve, HELPER_START_MS));
  const withHelpers = threads();
  await Promise.all(doomed.map((worker) => worker.terminate()));
  const living = Array.from({ length: WORKERS }, (_, index) => start(index + 11));
  await until(2 * WORKERS);
  for (let index = 11; index < 11 + WORKERS; index++) {
    SharedAtomics.store(words, index, 1);
    SharedAtomics.notify(words, index);
  }
  const codes = await Promise.all(
    living.map((worker) => new Promise((resolve) => worker.on('exit', resolve))),
  );
  const left = threads();
  // Nobody ends this: it must not keep the process.
  SharedAtomics.waitAsync(words, 50, 0);
  console.log(JSON.stringify({ codes, helpers: withHelpers - left - WORKERS + (shared ? 1 : 0) }));
} else {
  const words = views(workerData);
  const alive = setInterval(() => {}, 1000);
  const { index, kind } = workerData;
  const wait = () =>
    kind === 'change' ? futexWaitAsync(words, index, 0) : SharedAtomics.waitAsync(words, index, 0).value;
  const waiting = wait();
  SharedAtomics.add(words, 0, 1);
  await waiting;
  // A waiter for any wake may be told early and looks again; a waiter for a change must not be.
  if (kind === 'any wake') while (SharedAtomics.load(words, index) === 0) await wait();
  clearInterval(alive);
  process.exit(words[workerData.index] === 1 ? 7 : 8);
}
