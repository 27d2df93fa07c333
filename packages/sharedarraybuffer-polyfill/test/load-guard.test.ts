/**
 * A thread that is to be terminated loads nothing native any more, and is waited for while it, or
 * its helper, does.
 */
import { Worker } from 'node:worker_threads';
import { futexWaitAsync, SharedAtomics, SharedMemory } from 'sharedarraybuffer-polyfill';
import {
  beginLoad,
  endLoad,
  guardLoading,
  LOAD_GUARD_WORDS,
  loadsUnderWay,
} from 'sharedarraybuffer-polyfill/load-guard';
import { expect, test } from 'vitest';
import { skipReason } from './observe.ts';

const guardWords = (): Int32Array<SharedArrayBuffer> =>
  new Int32Array(new SharedArrayBuffer(LOAD_GUARD_WORDS * 4));
const GUARD = new URL('../dist/load-guard.js', import.meta.url).href;

test('a load is under way from its beginning to its end', () => {
  const words = guardWords();
  expect(loadsUnderWay(words)).toBe(false);
  beginLoad(words);
  beginLoad(words);
  endLoad(words);
  expect(loadsUnderWay(words)).toBe(true);
  endLoad(words);
  expect(loadsUnderWay(words)).toBe(false);
});

test('a thread that is to be terminated begins none, and can be terminated', async () => {
  const words = guardWords();
  const told = new Int32Array(new SharedArrayBuffer(4));
  words[0] = 1;
  const code = `const { workerData: { words, told } } = require('node:worker_threads');
    import(${JSON.stringify(GUARD)}).then(({ beginLoad }) => {
      Atomics.store(told, 0, 1);
      beginLoad(words);
      Atomics.store(told, 0, 2);
    });`;
  const worker = new Worker(code, { eval: true, workerData: { words, told } });
  while (Atomics.load(told, 0) === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(loadsUnderWay(words)).toBe(false);
  await worker.terminate();
  expect(told[0]).toBe(1);
});

test.skipIf(skipReason)('the load of a helper counts, until it has loaded', async () => {
  const words = guardWords();
  guardLoading(words);
  using memory = SharedMemory.create(4096);
  const awaited = memory.words();
  const waiting = futexWaitAsync(awaited, 0, 0);
  expect(loadsUnderWay(words)).toBe(true);
  while (loadsUnderWay(words)) await new Promise((resolve) => setTimeout(resolve, 5));
  SharedAtomics.store(awaited, 0, 1);
  SharedAtomics.notify(awaited, 0);
  expect(await waiting).not.toBe('timed-out');
});
