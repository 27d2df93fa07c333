/** Timeouts of any length, and none: what a timer of Node's cannot do must not come at once. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { longTimeout } from '../src/platform/host/long-timeout.ts';
import { SignalCapability } from '../src/capability/signal.ts';
import { LocalReference } from '../src/capability/reference.ts';
import { SignalContext } from '../src/capability/signal-context.ts';
import type { Session } from '../src/interface/interface.ts';
import { Timeouts } from '../src/runtime/timeouts.ts';
import type { Timer } from '../src/session/timer.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test.each([0, 1, 24 * DAY_MS, 25 * DAY_MS, 100 * DAY_MS])(
  'a timeout of %i ms fires at that time, once',
  (ms) => {
    const fired = vi.fn();
    longTimeout(ms, fired);
    if (ms > 0) {
      vi.advanceTimersByTime(ms - 1);
      expect(fired).not.toHaveBeenCalled();
    }
    vi.advanceTimersByTime(1);
    expect(fired).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(200 * DAY_MS);
    expect(fired).toHaveBeenCalledTimes(1);
    expect(vi.getTimerCount()).toBe(0);
  },
);

test('it can be cancelled in any of its parts', () => {
  const fired = vi.fn();
  const cancel = longTimeout(60 * DAY_MS, fired);
  vi.advanceTimersByTime(50 * DAY_MS);
  cancel();
  vi.advanceTimersByTime(50 * DAY_MS);
  expect(fired).not.toHaveBeenCalled();
  expect(vi.getTimerCount()).toBe(0);
});

/** A component's timer over a session that notes what it is asked for. */
function timerWith(asked: number[]): { timeouts: Timeouts; wake: () => void; clock: { us: number } } {
  const clock = { us: 1000 };
  let handler: SignalCapability | undefined;
  const session: Session<typeof Timer> = {
    triggerOnce: async (us) => void asked.push(us),
    triggerPeriodic: async () => {},
    setHandler: async (given) => void (handler = given),
    elapsedUs: async () => clock.us,
    currentTimeMs: async () => 0,
    [Symbol.dispose]: () => {},
  };
  const fail = (error: unknown): never => {
    throw error;
  };
  const timeouts = new Timeouts(
    async () => session,
    (wake) => new SignalCapability(new LocalReference(new SignalContext(wake, queueMicrotask, fail))),
    fail,
  );
  return { timeouts, clock, wake: () => handler?.submit() };
}

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
};

test.each([
  ['100 days', 100 * DAY_MS, 100 * DAY_MS * 1000],
  ['for ever', Number.POSITIVE_INFINITY, Number.MAX_SAFE_INTEGER - 1000],
  ['more than can be counted', 1e300, Number.MAX_SAFE_INTEGER - 1000],
  ['less than nothing', -5, 1],
  ['no number', Number.NaN, 1],
])('a component may wait for %s', async (_, ms, us) => {
  const asked: number[] = [];
  const { timeouts } = timerWith(asked);
  timeouts.after(ms, () => {});
  await settle();
  expect(asked).toEqual([us]);
});

test('a cancelled timeout is forgotten, and no other timeout is lost by that', async () => {
  const asked: number[] = [];
  const { timeouts, wake, clock } = timerWith(asked);
  const fired: string[] = [];
  const cancels = [1, 2, 3].map((ms) => timeouts.after(ms, () => fired.push(`${ms}`)));
  await settle();
  cancels[0]?.();
  cancels[1]?.();
  clock.us += 10_000;
  wake();
  await settle();
  expect(fired).toEqual(['3']);
});

test('a period of no time is the shortest period there is', async () => {
  const asked: number[] = [];
  const { timeouts, wake, clock } = timerWith(asked);
  const fired = vi.fn();
  timeouts.every(0, fired);
  for (let round = 1; round <= 3; round++) {
    await settle();
    clock.us += 1;
    wake();
    await settle();
    expect(fired.mock.calls.length).toBeGreaterThanOrEqual(round);
  }
});
