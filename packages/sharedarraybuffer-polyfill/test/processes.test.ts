/**
 * Two real processes: they see each other's writes, wake each other, and leave nothing behind when
 * one is killed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import {
  closeDescriptor,
  DescriptorSocket,
  futexWait,
  futexWaitAsync,
  SharedAtomics,
  SharedMemory,
  SharedMemoryError,
} from 'sharedarraybuffer-polyfill';
import { describe, expect, test } from 'vitest';
import { holdings, holdingsAfter, skipReason } from './observe.ts';

const PEER = fileURLToPath(new URL('./peer.mjs', import.meta.url));
const SIZE = 65_536;
const ROUNDS = 300;
const WAIT_MS = 20_000;

function start(role: string, count: number, descriptor: number, environment = {}): ChildProcess {
  return spawn(process.execPath, [PEER, role, String(count)], {
    stdio: ['ignore', 'inherit', 'inherit', descriptor, 'ipc'],
    env: { ...process.env, ...environment },
  });
}

const exitCode = async (child: ChildProcess): Promise<unknown> => {
  if (child.exitCode !== null) return child.exitCode;
  const [code] = await once(child, 'exit');
  return code;
};

describe.skipIf(skipReason)(`two processes (${skipReason ?? 'shared memory works here'})`, () => {
  test('both block', async () => {
    using memory = SharedMemory.create(SIZE, { name: 'ping-pong' });
    const words = memory.words();
    const child = start('pong', ROUNDS, memory.descriptor);
    memory.closeDescriptor();
    for (let round = 1; round <= ROUNDS; round++) {
      SharedAtomics.store(words, 0, round);
      SharedAtomics.notify(words, 0);
      while (SharedAtomics.load(words, 1) < round) {
        expect(SharedAtomics.wait(words, 1, round - 1, WAIT_MS)).not.toBe('timed-out');
      }
    }
    expect(await exitCode(child)).toBe(0);
    expect(futexWait(words, 1, 0, 10)).toBe('not-equal');
    expect(futexWait(words, 1, ROUNDS, 10)).toBe('timed-out');
  });

  test.each(['', 'poll'])('both with a live event loop (%s)', async (mode) => {
    using memory = SharedMemory.create(SIZE);
    const words = memory.words();
    const rounds = mode === 'poll' ? 30 : ROUNDS;
    const child = start('pongAsync', rounds, memory.descriptor, { SHAREDARRAYBUFFER_POLYFILL: mode });
    for (let round = 1; round <= rounds; round++) {
      SharedAtomics.store(words, 0, round);
      SharedAtomics.notify(words, 0);
      while (SharedAtomics.load(words, 1) < round) {
        expect(await futexWaitAsync(words, 1, round - 1, WAIT_MS)).not.toBe('timed-out');
      }
    }
    expect(await exitCode(child)).toBe(0);
    expect(await futexWaitAsync(words, 1, rounds, 30)).toBe('timed-out');
  });

  test.each(['', 'poll'])('300 waits at a time, woken without a change of their words (%s)', async (mode) => {
    using memory = SharedMemory.create(SIZE);
    const words = memory.words();
    const child = start('crowd', 300, memory.descriptor, { SHAREDARRAYBUFFER_POLYFILL: mode });
    while (SharedAtomics.load(words, 0) === 0) SharedAtomics.wait(words, 0, 0, 100);
    const ended = exitCode(child);
    // A wake may come before the helper sleeps: as words do not change, it is repeated.
    while (child.exitCode === null && child.signalCode === null) {
      for (let index = 1; index <= 300; index++) SharedAtomics.notify(words, index);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(await ended).toBe(0);
  });

  test('a worker that waits can be terminated, and its process ends', async () => {
    using memory = SharedMemory.create(SIZE);
    const { buffer, byteOffset } = memory;
    const code = `
      const { workerData: { buffer, byteOffset } } = require('node:worker_threads');
      import(${JSON.stringify(new URL('../dist/index.js', import.meta.url).href)}).then(({ SharedAtomics, isShared }) => {
        const words = new Int32Array(buffer, byteOffset, 16);
        words[1] = isShared(words) ? 1 : 2;
        SharedAtomics.notify(words, 1);
        SharedAtomics.wait(words, 0, 0);
      });`;
    const worker = new Worker(code, { eval: true, workerData: { buffer, byteOffset } });
    const words = memory.words();
    while (SharedAtomics.load(words, 1) === 0) await futexWaitAsync(words, 1, 0, WAIT_MS);
    expect(words[1]).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 120));
    expect(await worker.terminate()).toBe(1);
  });
});

describe.skipIf(skipReason)(`after kill -9 (${skipReason ?? 'shared memory works here'})`, () => {
  const AT_A_TIME = 4;
  const KILLS = 40;

  async function repeat(job: () => Promise<void>): Promise<void> {
    const lane = async (): Promise<void> => {
      for (let i = 0; i < KILLS / AT_A_TIME; i++) await job();
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, lane));
  }

  /** Lets a child run until it is ready, or not even that, and a little longer; then kills it. */
  async function killSomewhere(child: ChildProcess): Promise<void> {
    const exited = once(child, 'exit');
    if (Math.random() < 0.8) await Promise.race([once(child, 'message'), exited]);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 10));
    expect(child.exitCode).toBe(null);
    child.kill('SIGKILL');
    await exited;
    // Its channel to us is a socket of ours, which may end later.
    if (child.connected) await once(child, 'disconnect');
  }

  test('of who uses our memory, nothing is left', async () => {
    const keep = SharedMemory.create(SIZE);
    const before = holdings();
    await repeat(async () => {
      const memory = SharedMemory.create(SIZE);
      const child = start('use', 0, memory.descriptor);
      memory.closeDescriptor();
      await killSomewhere(child);
      memory.close();
    });
    expect(holdingsAfter(before)).toEqual(before);
    keep.close();
  }, 120_000);

  test('of who made memory and sent it, nothing is left', async () => {
    const keep = SharedMemory.create(SIZE);
    const before = holdings();
    let receivedCount = 0;
    const receiveAll = (socket: DescriptorSocket): void => {
      try {
        for (let next = socket.receive(); next; next = socket.receive()) {
          const memory = SharedMemory.open(next.fd, SIZE);
          expect(memory.words()[0]).toBe(42);
          memory.close();
          receivedCount++;
        }
      } catch (error) {
        if (!(error instanceof SharedMemoryError) || error.code !== 'PeerGone') throw error;
      }
    };
    await repeat(async () => {
      const { near, farDescriptor } = DescriptorSocket.pair();
      const child = start('make', 0, farDescriptor);
      closeDescriptor(farDescriptor);
      child.on('message', () => receiveAll(near));
      await killSomewhere(child);
      if (Math.random() < 0.5) receiveAll(near);
      near.close();
    });
    expect(receivedCount).toBeGreaterThan(0);
    expect(holdingsAfter(before)).toEqual(before);
    keep.close();
  }, 120_000);
});
