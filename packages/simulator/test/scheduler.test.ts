/** The order of tasks, and the limits up to which they are asked for. */
import { expect, test } from 'vitest';
import { Random } from '../src/order/random.ts';
import { Scheduler } from '../src/order/scheduler.ts';

/** Runs tasks up to a limit; the result is their number. */
function runUntil(scheduler: Scheduler, limitUs: number): number {
  for (let count = 0; ; count++) {
    const next = scheduler.next(limitUs);
    if (typeof next === 'string') return count;
    next.run();
  }
}

test.each([1, 2, 3, 4, 5])(
  'a task that is too late for one limit is there for the next (seed %i)',
  (seed) => {
    const scheduler = new Scheduler(new Random(seed));
    const done: number[] = [];
    for (let number = 0; number < 100; number++)
      scheduler.at(number * 3, { owner: 1, describe: () => '', run: () => done.push(number) });
    let count = 0;
    for (let limitUs = 0; limitUs < 2000; limitUs += 10) count += runUntil(scheduler, limitUs);
    expect(count).toBe(100);
    expect(done.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, number) => number));
  },
);
