/** Tests heartbeats on a clock of the test: what is counted, and which child is restarted when. */
import { expect, test } from 'vitest';
import { TestClock } from '../../core/test/test-clock.ts';
import { type BeatingChild, Heartbeat, Heartbeats } from '../src/sandbox/heartbeats.ts';

/** A child of the test, which answers at once, or not until it is told to. */
class Child implements BeatingChild {
  readonly name: string;
  heartbeatOptions: BeatingChild['heartbeatOptions'];
  alive = true;
  /** Whether it leaves beats unanswered. */
  silent = false;
  asked = 0;
  readonly #waiting: (() => void)[] = [];
  readonly heartbeat = new Heartbeat(() => {
    this.asked++;
    return this.silent ? new Promise((answer) => this.#waiting.push(answer)) : Promise.resolve();
  });

  constructor(name: string, restartAfterSkipped: number | undefined) {
    this.name = name;
    this.heartbeatOptions = restartAfterSkipped === undefined ? undefined : { restartAfterSkipped };
  }

  answer(): void {
    this.silent = false;
    for (const answer of this.#waiting.splice(0)) answer();
  }
}

/** A sandbox as the heartbeats see it. */
class Bench {
  readonly children: Child[];
  readonly restarted: string[] = [];
  changes = 0;
  readonly heartbeats: Heartbeats;
  readonly #clock = new TestClock();

  constructor(...children: Child[]) {
    this.children = children;
    this.heartbeats = new Heartbeats({
      after: (ms, handler) => this.#clock.after(ms * 1000, handler),
      children: () => this.children,
      skipped: () => void this.changes++,
      restart: (name, skipped) => {
        this.restarted.push(`${name}: ${skipped}`);
        this.children.splice(
          0,
          this.children.length,
          ...this.children.filter((child) => child.name !== name),
        );
      },
    });
  }

  get ticks(): boolean {
    return this.#clock.pending > 0;
  }

  pass(ms: number): Promise<void> {
    return this.#clock.passMs(ms, () => {});
  }
}

test('a child that answers skips nothing, and is never restarted', async () => {
  const child = new Child('child', 1);
  const bench = new Bench(child);
  bench.heartbeats.apply(100);
  await bench.pass(1000);
  expect(child.asked).toBe(10);
  expect(child.heartbeat.skipped).toBe(0);
  expect(bench.changes).toBe(0);
  expect(bench.restarted).toEqual([]);
});

test('a silent child has one question to answer; each further beat is one skipped; an answer takes all back', async () => {
  const child = new Child('child', 0);
  const bench = new Bench(child);
  bench.heartbeats.apply(100);
  child.silent = true;
  await bench.pass(100);
  expect(child.heartbeat.skipped).toBe(0);
  await bench.pass(300);
  expect(child.heartbeat.skipped).toBe(3);
  expect(child.asked).toBe(1);
  expect(bench.changes).toBe(3);
  child.answer();
  await bench.pass(0);
  expect(child.heartbeat.skipped).toBe(0);
  await bench.pass(100);
  expect(bench.changes).toBe(4);
  expect(bench.restarted).toEqual([]);
});

test('a child is restarted when it has skipped more beats than its start node allows, and only then', async () => {
  const [strict, patient, lax] = [new Child('strict', 1), new Child('patient', 3), new Child('lax', 0)];
  const bench = new Bench(strict, patient, lax);
  for (const child of bench.children) child.silent = true;
  bench.heartbeats.apply(100);
  await bench.pass(200);
  expect(bench.restarted).toEqual([]);
  await bench.pass(100);
  expect(bench.restarted).toEqual(['strict: 2']);
  await bench.pass(200);
  expect(bench.restarted).toEqual(['strict: 2', 'patient: 4']);
  await bench.pass(10_000);
  expect(bench.restarted).toEqual(['strict: 2', 'patient: 4']);
});

test('a child without a heartbeat, and one that is not alive yet, are not asked', async () => {
  const [none, starting] = [new Child('none', undefined), new Child('starting', 1)];
  const bench = new Bench(none, starting);
  starting.alive = false;
  starting.silent = true;
  bench.heartbeats.apply(100);
  await bench.pass(1000);
  expect([none.asked, starting.asked]).toEqual([0, 0]);
  starting.alive = true;
  await bench.pass(100);
  expect(starting.asked).toBe(1);
});

test('without a child that has a heartbeat no time is measured', async () => {
  const child = new Child('child', undefined);
  const bench = new Bench(child);
  bench.heartbeats.apply(100);
  expect(bench.ticks).toBe(false);
  child.heartbeatOptions = { restartAfterSkipped: 0 };
  bench.heartbeats.apply(100);
  expect(bench.ticks).toBe(true);
  child.heartbeatOptions = undefined;
  await bench.pass(100);
  expect(bench.ticks).toBe(false);
});

test('a heartbeat that a new config takes away forgets what was skipped; a new period counts from now on', async () => {
  const child = new Child('child', 0);
  const bench = new Bench(child);
  child.silent = true;
  bench.heartbeats.apply(100);
  await bench.pass(400);
  expect(child.heartbeat.skipped).toBe(3);
  child.heartbeatOptions = undefined;
  bench.heartbeats.apply(100);
  expect(child.heartbeat.skipped).toBe(0);
  child.heartbeatOptions = { restartAfterSkipped: 0 };
  bench.heartbeats.apply(1000);
  await bench.pass(999);
  expect(child.heartbeat.skipped).toBe(0);
  await bench.pass(1001);
  expect(child.heartbeat.skipped).toBe(1);
  bench.heartbeats.end();
  expect(bench.ticks).toBe(false);
});

test('a child that cannot be asked counts as silent', async () => {
  const heartbeat = new Heartbeat(() => Promise.reject(new Error('gone')));
  for (let beat = 0; beat < 3; beat++) {
    heartbeat.beat();
    await Promise.resolve();
    await Promise.resolve();
  }
  expect(heartbeat.skipped).toBe(2);
});
