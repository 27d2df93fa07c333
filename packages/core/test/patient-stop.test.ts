/**
 * How long core waits for the root of the tree: as long as anything below it gets done, and its
 * levels' bounds allow.
 */
import { expect, test } from 'vitest';
import type { ThreadProgress } from '../src/session/cpu.ts';
import { stopped } from '../src/supervisor/patient-stop.ts';
import { TestClock } from './test-clock.ts';

const BOUND_MS = 2000;
const never = (): Promise<never> => new Promise(() => {});

/** Stops a component that answers so; `outcome` is there once nobody waits for it any more. */
function begin(stop: () => Promise<void>, progress: () => Promise<ThreadProgress>) {
  const clock = new TestClock();
  const seen: { outcome?: boolean; readonly clock: TestClock } = { clock };
  void stopped({ stop, progress }, clock, BOUND_MS).then((outcome) => {
    seen.outcome = outcome;
  });
  return seen;
}

const idle = (levelsBelow: number) => async () => ({ completed: 5, levelsBelow });

test('a component that has stopped is not waited for, and leaves no timeout', async () => {
  const seen = begin(() => Promise.resolve(), idle(0));
  await seen.clock.passMs(0);
  expect(seen.outcome).toBe(true);
  expect(seen.clock.pending).toBe(0);
});

test('a component that is dead counts as stopped', async () => {
  const seen = begin(() => Promise.reject(new Error('gone')), idle(0));
  await seen.clock.passMs(0);
  expect(seen.outcome).toBe(true);
});

test.each([0, 1, 3])(
  'a component that gets nothing done has a bound, with %i levels below it',
  async (levels) => {
    const seen = begin(never, idle(levels));
    // Its first answer counts as progress.
    await seen.clock.passMs(500 + BOUND_MS * (levels + 1) - 1);
    expect(seen.outcome).toBeUndefined();
    await seen.clock.passMs(1);
    expect(seen.outcome).toBe(false);
  },
);

test('a component that gets something done has no bound', async () => {
  let completed = 0;
  const seen = begin(never, async () => ({ completed: ++completed, levelsBelow: 0 }));
  await seen.clock.passMs(100 * BOUND_MS);
  expect(seen.outcome).toBeUndefined();
});

test('a component that does not tell its progress counts as getting nothing done', async () => {
  const seen = begin(never, () => Promise.reject(new Error('gone')));
  await seen.clock.passMs(BOUND_MS);
  expect(seen.outcome).toBe(false);
});
