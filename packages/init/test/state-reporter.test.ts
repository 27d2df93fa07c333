/** Tests when state reports go out, on a clock of the test. */
import { type ConfigNode, writeXml } from '@ginit/core/config';
import { RpcError } from '@ginit/core';
import { expect, test } from 'vitest';
import { TestClock } from '../../core/test/test-clock.ts';
import type { ReportOptions } from '../src/model/index.ts';
import type { ChildReport } from '../src/report/index.ts';
import { StateReporter } from '../src/sandbox/state-reporter.ts';

const OPTIONS: ReportOptions = {
  ids: false,
  requested: false,
  provided: false,
  sessionArgs: false,
  childRam: false,
  childCaps: false,
  initRam: false,
  initCaps: false,
  delayMs: 100,
  bufferBytes: 4096,
  vocabulary: '24.08',
  why: false,
};

/** A sandbox with one child, as the reporter sees it. */
class Bench {
  readonly reports: string[] = [];
  readonly warnings: string[] = [];
  readonly buffers: number[] = [];
  closed = 0;
  ramUsed = 1000;
  /** Thrown by the next report. */
  refusal: Error | undefined;
  /** Whether the server of reports leaves them unanswered. */
  slow = false;
  readonly #waiting: (() => void)[] = [];
  readonly reporter: StateReporter;
  readonly #clock = new TestClock();

  constructor(options: Partial<ReportOptions> | undefined = {}) {
    this.reporter = new StateReporter({
      after: (ms, handler) => this.#clock.after(ms * 1000, handler),
      every: (ms, handler) => this.#every(ms, handler),
      state: async () => ({ version: '1', account: undefined, children: [this.#child()] }),
      open: (bufferBytes) => {
        this.buffers.push(bufferBytes);
        return { report: (node) => this.#report(node), disable: async () => void this.closed++ };
      },
      warning: async (text) => void this.warnings.push(text),
    });
    this.reporter.apply({ ...OPTIONS, ...options });
  }

  get ticks(): boolean {
    return this.#clock.pending > 0;
  }

  pass(ms: number): Promise<void> {
    return this.#clock.passMs(ms, () => {});
  }

  answer(): void {
    this.slow = false;
    for (const answer of this.#waiting.splice(0)) answer();
  }

  #every(ms: number, handler: () => void): () => void {
    let cancel = (): void => {};
    const arm = (): void => {
      cancel = this.#clock.after(ms * 1000, () => {
        handler();
        arm();
      });
    };
    arm();
    return () => cancel();
  }

  #child(): ChildReport {
    return {
      name: 'child',
      binary: 'child',
      version: undefined,
      id: 1,
      incomplete: false,
      exited: undefined,
      skippedHeartbeats: 0,
      why: undefined,
      assigned: { ram: 4096, caps: 10 },
      account: { ramQuota: 4096, ramUsed: this.ramUsed, capQuota: 10, capUsed: 1 },
      wanted: { ram: 0, caps: 0 },
      requested: [],
      provided: [],
    };
  }

  async #report(node: ConfigNode): Promise<void> {
    const refusal = this.refusal;
    this.refusal = undefined;
    if (refusal) throw refusal;
    this.reports.push(writeXml(node));
    if (this.slow) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}

test('changes within the delay become one report at its end', async () => {
  const bench = new Bench();
  bench.reporter.changed();
  await bench.pass(60);
  bench.reporter.changed();
  await bench.pass(39);
  expect(bench.reports).toEqual([]);
  await bench.pass(1);
  expect(bench.reports).toEqual(['<state version="1">\n  <child name="child" binary="child"/>\n</state>\n']);
  await bench.pass(1000);
  expect(bench.reports).toHaveLength(1);
  expect(bench.ticks).toBe(false);
});

test('a change that a manager waits for goes out at once, and takes with it what waits for the delay', async () => {
  const bench = new Bench();
  bench.reporter.changed();
  bench.reporter.changedNow();
  bench.reporter.changedNow();
  await bench.pass(0);
  expect(bench.reports).toHaveLength(1);
  await bench.pass(1000);
  expect(bench.reports).toHaveLength(1);
});

test('without a delay every change goes out at once', async () => {
  const bench = new Bench({ delayMs: 0 });
  bench.reporter.changed();
  await bench.pass(0);
  expect(bench.reports).toHaveLength(1);
});

test('while a report is on its way one more is kept, however many changes there are', async () => {
  const bench = new Bench();
  bench.slow = true;
  bench.reporter.changedNow();
  await bench.pass(0);
  for (let change = 0; change < 100; change++) bench.reporter.changedNow();
  await bench.pass(0);
  expect(bench.reports).toHaveLength(1);
  bench.answer();
  await bench.pass(0);
  expect(bench.reports).toHaveLength(2);
});

test.each([{ childRam: true }, { childCaps: true }])(
  'with %o the quota of children is looked at once a second, and reported if it has changed',
  async (options) => {
    const bench = new Bench(options);
    bench.reporter.changedNow();
    await bench.pass(3000);
    expect(bench.reports).toHaveLength(1);
    bench.ramUsed++;
    await bench.pass(999);
    expect(bench.reports).toHaveLength(1);
    await bench.pass(1);
    expect(bench.reports).toHaveLength(2);
  },
);

test('a longer delay makes the looks at the quota rarer', async () => {
  const bench = new Bench({ childRam: true, delayMs: 2500 });
  bench.reporter.changedNow();
  await bench.pass(0);
  bench.ramUsed++;
  await bench.pass(2499);
  expect(bench.reports).toHaveLength(1);
  await bench.pass(1);
  expect(bench.reports).toHaveLength(2);
});

test('a report that does not fit the buffer is replaced by one that says so', async () => {
  const bench = new Bench();
  bench.refusal = new RpcError('Too_large', 'too large');
  bench.reporter.changedNow();
  await bench.pass(0);
  expect(bench.reports).toEqual(['<state version="1" error="report buffer exceeded"/>\n']);
  expect(bench.warnings).toEqual(['state report: report buffer exceeded (buffer="4096")']);
});

test('a report that cannot be delivered is said once, and the next one is tried', async () => {
  const bench = new Bench();
  for (const denial of ['no route', 'no route', 'gone']) {
    bench.refusal = new RpcError('DENIED', denial);
    bench.reporter.changedNow();
    await bench.pass(0);
  }
  bench.reporter.changedNow();
  await bench.pass(0);
  expect(bench.warnings).toEqual(['state report: no route', 'state report: gone']);
  expect(bench.reports).toHaveLength(1);
});

test('a config without <report> ends the reports, and one with another buffer opens another session', async () => {
  const bench = new Bench({ childRam: true });
  bench.reporter.apply({ ...OPTIONS, bufferBytes: 8192 });
  expect(bench.buffers).toEqual([4096, 8192]);
  expect(bench.closed).toBe(1);
  bench.reporter.changed();
  bench.reporter.end();
  await bench.pass(10_000);
  bench.reporter.changedNow();
  bench.reporter.changed();
  await bench.pass(10_000);
  expect(bench.reports).toEqual([]);
  expect(bench.closed).toBe(2);
  expect(bench.ticks).toBe(false);
});
