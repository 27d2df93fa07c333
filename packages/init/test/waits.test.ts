/**
 * Tests steps that wait for children, on a clock of the test: which child is named, which is ended,
 * and when.
 */
import { quietDeferred } from '@ginit/core/async';
import { expect, test } from 'vitest';
import { TestClock } from '../../core/test/test-clock.ts';
import { type Progress, type Wait, Waits, type WaitState } from '../src/sandbox/waits.ts';

const BOUNDS = { boundMs: 3000, ceilingMs: 20_000 };

/** A sandbox as the waits see it. The test can change what a child answers. */
class Bench {
  readonly warnings: string[] = [];
  readonly overdue: string[] = [];
  readonly asked: string[] = [];
  /** Whether no child tells its progress. */
  silent = false;
  readonly progress = new Map<string, Progress>();
  readonly about = new Map<string, WaitState>();
  readonly waits: Waits;
  readonly #clock = new TestClock();

  constructor(bounds = BOUNDS) {
    this.waits = new Waits({
      env: {
        warning: async (text) => void this.warnings.push(text),
        timer: {
          after: (ms, fire) => this.#clock.after(ms * 1000, fire),
        },
      },
      boundsOf: () => bounds,
      progressOf: async (child) => {
        this.asked.push(child);
        return this.silent ? new Promise<undefined>(() => {}) : this.progress.get(child);
      },
      about: ({ for: child = '' }) => this.about.get(child) ?? 'running',
      overdue: (child, reason) => void this.overdue.push(`${child}: ${reason}`),
    });
  }

  /** Whether a timeout is set. */
  get ticks(): boolean {
    return this.#clock.pending > 0;
  }

  /** Lets the given time pass; `each` is called before every timeout. */
  async pass(ms: number, each = (): void => {}): Promise<void> {
    await this.#clock.passMs(ms, each);
  }

  /** Begins a step; the result ends it. */
  begin(wait: Wait): () => Promise<void> {
    const { promise, resolve } = quietDeferred<void>();
    const during = this.waits.during(wait, promise);
    return () => {
      resolve();
      return during;
    };
  }
}

const close = (by: string, server: string): Wait => ({ by, for: server, service: 'Store', step: 'close' });
const open = (by: string, server: string): Wait => ({ by, for: server, service: 'Store', step: 'open' });
const stop = (child: string): Wait => ({ by: '', for: child, step: 'stop' });
const STALLED =
  'shop: "shop" has yet to close a "Store" session of "client", and gets nothing done: it is ended';

test('a step settles as the promise that it waits for; no timer runs without steps', async () => {
  const bench = new Bench();
  expect(await bench.waits.during(close('client', 'shop'), Promise.resolve(7))).toBe(7);
  const failed = bench.waits.during(open('client', 'shop'), Promise.reject(new Error('no')));
  await expect(failed).rejects.toThrow('no');
  await bench.pass(500);
  expect(bench.ticks).toBe(false);
  expect(bench.asked).toEqual([]);
});

test('a wait for a service of the parent names nobody and ends nobody', async () => {
  const bench = new Bench();
  expect(await bench.waits.during({ by: 'client', for: undefined, step: 'open' }, Promise.resolve(7))).toBe(
    7,
  );
  expect(bench.ticks).toBe(false);
});

test('a child that is waited for is named once, after two seconds; the waiting child shows the reason as long as it waits', async () => {
  const bench = new Bench();
  const end = bench.begin(open('client', 'shop'));
  await bench.pass(1999);
  expect(bench.warnings).toEqual([]);
  expect(bench.waits.why('client')).toBeUndefined();
  await bench.pass(1);
  const text = '"client" waits for "shop" to answer its request for a "Store" session';
  expect(bench.warnings).toEqual([text]);
  expect(bench.waits.why('client')).toBe(text);
  expect(bench.waits.why('shop')).toBeUndefined();
  await bench.pass(60_000);
  expect(bench.warnings).toEqual([text]);
  await end();
  expect(bench.waits.why('client')).toBeUndefined();
  await bench.pass(1000);
  expect(bench.ticks).toBe(false);
});

test('opening a session has no bound, and no child is asked for its progress', async () => {
  const bench = new Bench();
  void bench.begin(open('client', 'shop'));
  await bench.pass(60_000);
  expect(bench.overdue).toEqual([]);
  expect(bench.asked).toEqual([]);
});

test('a service that was not offered is said to be missing, and a child that is still being started is not named', async () => {
  const bench = new Bench();
  bench.about.set('shop', 'starting');
  void bench.begin(open('client', 'shop'));
  await bench.pass(10_000);
  expect(bench.warnings).toEqual([]);
  bench.about.set('shop', 'not provided');
  await bench.pass(500);
  expect(bench.warnings).toEqual([
    '"client" waits for "shop", which has not offered its service "Store" yet',
  ]);
});

test('a child that waits for another one itself is not named; that other one is', async () => {
  const bench = new Bench();
  void bench.begin(open('client', 'mediator'));
  void bench.begin(open('mediator', 'shop'));
  await bench.pass(10_000);
  expect(bench.warnings).toEqual(['"mediator" waits for "shop" to answer its request for a "Store" session']);
});

test('in a circle every child is named, but not a child that only waits for one of the circle', async () => {
  const bench = new Bench();
  void bench.begin(open('one', 'two'));
  void bench.begin(open('two', 'one'));
  void bench.begin(open('client', 'one'));
  await bench.pass(10_000);
  const names = bench.warnings.map((text) => text.split(' ')[0]);
  expect(names).toEqual(['"one"', '"two"']);
});

test('a child that makes no progress is ended at its bound, once', async () => {
  const bench = new Bench();
  void bench.begin(close('client', 'shop'));
  await bench.pass(BOUNDS.boundMs - 1);
  expect(bench.overdue).toEqual([]);
  await bench.pass(1);
  expect(bench.overdue).toEqual([STALLED]);
  await bench.pass(60_000);
  expect(bench.overdue).toEqual([STALLED]);
});

test('a step that begins later has the whole bound; the oldest step is the reason for which a child is ended', async () => {
  const bench = new Bench();
  const end = bench.begin(close('client', 'shop'));
  await bench.pass(2500);
  void bench.begin(stop('shop'));
  await end();
  await bench.pass(2500);
  expect(bench.overdue).toEqual([]);
  await bench.pass(500);
  expect(bench.overdue.length).toBe(1);
  expect(bench.overdue[0]).toContain('"shop" has yet to put its things in order');
});

test('a child that makes progress is waited for up to the ceiling', async () => {
  const bench = new Bench();
  void bench.begin(close('client', 'shop'));
  let completed = 0;
  const work = (): void => void bench.progress.set('shop', { completed: ++completed, levelsBelow: 0 });
  await bench.pass(BOUNDS.ceilingMs - 1, work);
  expect(bench.overdue).toEqual([]);
  await bench.pass(1, work);
  expect(bench.overdue).toEqual([STALLED.replace('gets nothing done', 'takes too long')]);
});

test('each level of children below a child adds one more bound and one more ceiling to its own', async () => {
  for (const [busy, limitMs] of [
    [false, 3 * BOUNDS.boundMs],
    [true, 3 * BOUNDS.ceilingMs],
  ] as const) {
    const bench = new Bench();
    let completed = 1;
    const work = (): void => {
      if (busy) completed++;
      bench.progress.set('shop', { completed, levelsBelow: 2 });
    };
    void bench.begin(close('client', 'shop'));
    // The first answer always counts as progress.
    const early = busy ? 0 : 500;
    await bench.pass(limitMs + early - 1, work);
    expect(bench.overdue).toEqual([]);
    await bench.pass(1, work);
    expect(bench.overdue.length).toBe(1);
  }
});

test('a child that waits for another one to close is not ended, and that time is not counted against it; the other one is ended', async () => {
  const bench = new Bench();
  void bench.begin(close('client', 'shop'));
  const end = bench.begin(close('shop', 'backend'));
  await bench.pass(BOUNDS.boundMs);
  expect(bench.overdue).toEqual([
    'backend: "backend" has yet to close a "Store" session of "shop", and gets nothing done: it is ended',
  ]);
  expect(bench.warnings).toEqual(['"backend" has yet to close a "Store" session of "shop"']);
  await bench.pass(BOUNDS.ceilingMs + 1000);
  await end();
  let completed = 0;
  const work = (): void => void bench.progress.set('shop', { completed: ++completed, levelsBelow: 0 });
  await bench.pass(BOUNDS.ceilingMs - BOUNDS.boundMs - 500, work);
  expect(bench.overdue.length).toBe(1);
  await bench.pass(BOUNDS.boundMs);
  expect(bench.overdue[1]).toBe(STALLED);
});

test('children that wait in a circle for each other to close are all ended, however long the circle is', async () => {
  const bench = new Bench();
  void bench.begin(close('one', 'two'));
  void bench.begin(close('two', 'three'));
  void bench.begin(close('three', 'one'));
  void bench.begin(close('client', 'one'));
  await bench.pass(BOUNDS.boundMs);
  expect(bench.overdue.map((text) => text.split(':')[0]).toSorted()).toEqual(['one', 'three', 'two']);
});

test('a child that was waited for earlier begins with a whole bound again', async () => {
  const bench = new Bench();
  const end = bench.begin(close('client', 'shop'));
  await bench.pass(2500);
  await end();
  await bench.pass(500);
  void bench.begin(close('client', 'shop'));
  await bench.pass(BOUNDS.boundMs - 1);
  expect(bench.overdue).toEqual([]);
  await bench.pass(1);
  expect(bench.overdue).toEqual([STALLED]);
});

test('a child that does not tell its progress is asked once, and ended at its bound', async () => {
  const bench = new Bench();
  bench.silent = true;
  void bench.begin(close('client', 'shop'));
  await bench.pass(BOUNDS.boundMs + 500);
  expect(bench.asked).toEqual(['shop']);
  expect(bench.overdue).toEqual([STALLED]);
});
