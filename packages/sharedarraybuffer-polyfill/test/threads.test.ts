/**
 * Threads that call the kernel come and go for as long as a process lives: what calling it takes
 * goes with them. (koffi from 3.1 on keeps memory, from 3.3.2 on three mappings a thread, for ever:
 * hence the release that package.json names.)
 */
import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { skipReason } from './observe.ts';

const INDEX = new URL('../dist/index.js', import.meta.url).href;
/** V8 and the C library keep something for the next threads. */
const WARM_UP_THREADS = 20;
const THREADS = 60;

const mappings = (): number => readFileSync('/proc/self/maps', 'utf8').split('\n').length;

async function runThread(): Promise<void> {
  const code = `import(${JSON.stringify(INDEX)}).then(({ SharedMemory, support }) => {
    const memory = SharedMemory.create(4096);
    memory.words()[0] = 1;
    memory[Symbol.dispose]();
    require('node:worker_threads').parentPort.postMessage(support().shared);
  });`;
  const worker = new Worker(code, { eval: true, execArgv: [] });
  expect(await new Promise((resolve) => worker.once('message', resolve))).toBe(true);
  await worker.terminate();
}

test.skipIf(skipReason)('threads that have ended leave no mappings', async () => {
  for (let count = 0; count < WARM_UP_THREADS; count++) await runThread();
  const before = mappings();
  for (let count = 0; count < THREADS; count++) await runThread();
  expect(mappings() - before).toBeLessThan(THREADS);
});
