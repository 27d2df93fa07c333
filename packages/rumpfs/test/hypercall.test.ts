import { expect, test } from 'vitest';
import { Condition } from '../src/hypercall/condition.ts';
import { Mutex } from '../src/hypercall/mutex.ts';
import { readBytes } from '../src/hypercall/read-bytes.ts';
import { ReaderWriterLock } from '../src/hypercall/reader-writer-lock.ts';
import { WAITERS_MAX } from '../src/hypercall/wait-queue.ts';
import { MemoryHypercalls } from './memory-hypercalls.ts';

/** Lets everything go on that can. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

test('a mutex is handed on in the order of asking', async () => {
  const mutex = new Mutex();
  const order: number[] = [];
  await mutex.acquire();
  for (const number of [1, 2, 3]) void mutex.acquire().then(() => order.push(number));
  for (const expected of [[1], [1, 2], [1, 2, 3]]) {
    mutex.release();
    await settle();
    expect(order).toEqual(expected);
  }
  mutex.release();
  expect(() => mutex.release()).toThrow(/nobody holds/);
});

test('readers share, a writer excludes, and nobody overtakes a waiting writer', async () => {
  const lock = new ReaderWriterLock();
  const order: string[] = [];
  expect(lock.tryShared()).toBe(true);
  await lock.shared();
  expect(lock.tryExclusive()).toBe(false);
  void lock.exclusive().then(() => order.push('writer'));
  expect(lock.tryShared()).toBe(false);
  void lock.shared().then(() => order.push('reader 1'));
  void lock.shared().then(() => order.push('reader 2'));
  void lock.exclusive().then(() => order.push('writer 2'));
  lock.releaseShared();
  await settle();
  expect(order).toEqual([]);
  lock.releaseShared();
  await settle();
  expect(order).toEqual(['writer']);
  lock.releaseExclusive();
  await settle();
  expect(order).toEqual(['writer', 'reader 1', 'reader 2']);
  lock.releaseShared();
  lock.releaseShared();
  await settle();
  expect(order.at(-1)).toBe('writer 2');
  lock.releaseExclusive();
  expect(lock.tryExclusive()).toBe(true);
});

test('a condition wakes one or all of those who wait by then', async () => {
  const condition = new Condition();
  const woken: number[] = [];
  for (const number of [1, 2, 3]) void condition.wait().then(() => woken.push(number));
  condition.wakeOne();
  await settle();
  expect(woken).toEqual([1]);
  condition.wakeAll();
  await settle();
  expect(woken).toEqual([1, 2, 3]);
  expect(condition.waiters).toBe(0);
});

test('a queue is bounded', async () => {
  const lock = new ReaderWriterLock();
  await lock.exclusive();
  const waiting = Array.from({ length: WAITERS_MAX }, () => lock.shared());
  await expect(lock.shared()).rejects.toMatchObject({ code: 'Busy' });
  lock.releaseExclusive();
  await Promise.all(waiting);
});

test('bytes that begin and end within sectors', async () => {
  const bytes = Uint8Array.from({ length: 16_384 }, (_unused, index) => index % 251);
  const { bio } = new MemoryHypercalls(bytes, { sectorSizeBytes: 4096 });
  expect(await readBytes(bio, 1024, 1024)).toEqual(bytes.slice(1024, 2048));
  expect(await readBytes(bio, 4000, 5000)).toEqual(bytes.slice(4000, 9000));
});
