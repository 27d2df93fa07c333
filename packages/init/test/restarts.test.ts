/** What decides about children that are started, started again, and stopped: their quota, their crashes, who uses whom. */
import { describe, expect, test } from 'vitest';
import { Purse } from '../src/sandbox/purse.ts';
import { RestartRecord } from '../src/sandbox/restart-record.ts';
import { nextToStop } from '../src/sandbox/stop-order.ts';
import { Turnstile } from '../src/sandbox/turnstile.ts';

const SECOND_US = 1_000_000;

describe('the restart budget', () => {
  test('without one nobody is started again', () => {
    expect(new RestartRecord(undefined).grant(false, 0)).toBe(false);
    expect(new RestartRecord(undefined).grant(true, 0)).toBe(false);
  });

  test('is spent by crashes within its period, and comes back when they are older', () => {
    const record = new RestartRecord({ max: 2, periodS: 10 });
    expect(record.grant(true, 0)).toBe(true);
    expect(record.grant(true, 4 * SECOND_US)).toBe(true);
    expect(record.count).toBe(2);
    expect(record.grant(true, 9 * SECOND_US)).toBe(false);
    expect(record.grant(true, 10 * SECOND_US - 1)).toBe(false);
    expect(record.grant(true, 10 * SECOND_US)).toBe(true);
    expect(record.count).toBe(2);
    expect(record.grant(true, 14 * SECOND_US - 1)).toBe(false);
  });

  test('is not spent by who merely lived in the process of the one that crashed, and is no bound for it', () => {
    const record = new RestartRecord({ max: 1, periodS: 10 });
    expect(record.grant(false, 0)).toBe(true);
    expect(record.count).toBe(0);
    expect(record.grant(true, 0)).toBe(true);
    expect(record.grant(true, 0)).toBe(false);
    expect(record.grant(false, 0)).toBe(true);
  });
});

describe('what init can pay', () => {
  const purse = (): Purse => new Purse({ ramQuota: 100, ramUsed: 40, capQuota: 20, capUsed: 5 });

  test('is what it has and does not use, all of it', () => {
    expect(() => purse().take({ ram: 60, caps: 15 })).not.toThrow();
    expect(() => purse().take({ ram: 61, caps: 15 })).toThrow('61 bytes wanted, 60 left');
    expect(() => purse().take({ ram: 60, caps: 16 })).toThrow('16 caps wanted, 15 left');
  });

  test('is less by what was taken, and by nothing that was refused', () => {
    const left = purse();
    left.take({ ram: 20, caps: 10 });
    expect(() => left.take({ ram: 41, caps: 1 })).toThrow('41 bytes wanted, 40 left');
    expect(() => left.take({ ram: 1, caps: 6 })).toThrow('6 caps wanted, 5 left');
    expect(() => left.take({ ram: 40, caps: 5 })).not.toThrow();
  });
});

describe('the order of stops', () => {
  const candidate = (name: string, servers: readonly string[], stopping = false) => ({
    name,
    servers: new Set(servers),
    stopping,
  });
  const namesOf = (...remaining: readonly ReturnType<typeof candidate>[]): string[] =>
    nextToStop(remaining).map(({ name }) => name);

  test('all go that nobody else uses, and who uses itself is used by nobody else', () => {
    const [disk, fs] = [candidate('disk', []), candidate('fs', ['disk', 'fs'])];
    expect(namesOf(disk, fs, candidate('tool', ['fs']), candidate('clock', []))).toEqual(['tool', 'clock']);
    expect(namesOf(disk, fs)).toEqual(['fs']);
    expect(namesOf(disk)).toEqual(['disk']);
  });

  test('who is being stopped keeps its servers until it is gone', () => {
    expect(namesOf(candidate('disk', []), candidate('fs', ['disk'], true))).toEqual(['fs']);
  });

  test('of a circle the last goes, and the others wait for it', () => {
    const [one, two] = [candidate('one', ['two']), candidate('two', ['one'])];
    expect(namesOf(one, two)).toEqual(['two']);
    expect(namesOf(one, candidate('two', ['one'], true))).toEqual([]);
  });
});

test('a turnstile lets so many through at a time, in their order, whether they end well or badly', async () => {
  const turnstile = new Turnstile(2);
  const begun: number[] = [];
  const ends: ((failed: boolean) => void)[] = [];
  const step = (number: number) => (): Promise<number> => {
    begun.push(number);
    return new Promise((resolve, reject) => {
      ends[number] = (failed) => (failed ? reject(new Error('no')) : resolve(number));
    });
  };
  const passing = [0, 1, 2, 3].map((number) => turnstile.pass(step(number)).catch(() => 'failed'));
  await new Promise(setImmediate);
  expect(begun).toEqual([0, 1]);
  ends[0]?.(true);
  await new Promise(setImmediate);
  expect(begun).toEqual([0, 1, 2]);
  ends[1]?.(false);
  await new Promise(setImmediate);
  ends[2]?.(false);
  ends[3]?.(false);
  expect(await Promise.all(passing)).toEqual(['failed', 1, 2, 3]);
  // Nobody waits: there is room for two again, not for more.
  const later = [4, 5, 6].map((number) => turnstile.pass(step(number)));
  await new Promise(setImmediate);
  expect(begun).toEqual([0, 1, 2, 3, 4, 5]);
  for (const number of [4, 5, 6]) {
    ends[number]?.(false);
    await new Promise(setImmediate);
  }
  expect(await Promise.all(later)).toEqual([4, 5, 6]);
});
