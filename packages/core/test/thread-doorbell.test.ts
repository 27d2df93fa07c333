/**
 * Doorbells between real threads that sleep without any limit: a single lost wake-up would stop
 * them for ever, and the test with them.
 */
import { afterAll, afterEach, expect, test } from 'vitest';
import { wordsAt } from '../src/memory/place.ts';
import { Bell, censusMemory, doorbellMemory, Sleep } from '../src/platform/wire/doorbell.ts';
import { ThreadWorkers } from './thread-workers.ts';

const workers = new ThreadWorkers();
afterEach(() => workers.end());
afterAll(() => workers[Symbol.dispose]());

test.each([
  ['parks', false, 60_000],
  ['waits with a live loop', true, 30_000],
] as const)('no ring is lost on an owner that %s', async (_, live, rounds) => {
  const census = censusMemory();
  const doorbell = doorbellMemory(census);
  const ringers = Array.from({ length: 3 }, () => doorbellMemory(census));
  const shared = {
    rounds,
    census,
    counters: new Int32Array(new SharedArrayBuffer(64)),
    answers: new Int32Array(new SharedArrayBuffer(64)),
  };
  const results = await Promise.all([
    workers.run('answerer', { ...shared, doorbell, ringers, live, seed: 1 }),
    ...ringers.map((own, slot) =>
      workers.run('ringer', { ...shared, doorbell: own, peerDoorbell: doorbell, slot, seed: slot + 2 }),
    ),
  ]);
  expect(results).toEqual([rounds * ringers.length, rounds, rounds, rounds]);
  // Whoever went to sleep was counted back in by whoever woke it.
  expect(wordsAt(census)[0]).toBeGreaterThanOrEqual(0);
  expect(wordsAt(census)[0]).toBeLessThanOrEqual(4);
});

test.each([
  ['parks', false, Sleep.parked],
  ['waits with a live loop', true, Sleep.waiting],
] as const)('a thread that %s can be ended, and the census forgets it', async (_, live, asleep) => {
  for (let round = 0; round < 10; round++) {
    const census = censusMemory();
    const doorbells = Array.from({ length: 4 }, () => doorbellMemory(census));
    await Promise.all(
      doorbells.map((doorbell, seed) => workers.run('idle', { census, doorbell, live, seed })),
    );
    const states = (): number[] => doorbells.map((doorbell) => wordsAt(doorbell)[0] ?? -1);
    // Every other round they are ended on their way to sleep.
    const awake = (): boolean => round % 2 === 0 && states().some((state) => state !== asleep);
    while (awake()) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await workers.end();
    for (const doorbell of doorbells) new Bell(doorbell, census).ownerGone();
    // A thread that is ended after it has said that it sleeps and before it leaves the count is
    // counted once too often.
    expect(Math.abs(wordsAt(census)[0] ?? -1)).toBeLessThanOrEqual(1);
  }
});
