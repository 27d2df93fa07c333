/** What decides about children that are started, started again, and stopped: their quota, their crashes, who uses whom. */
import { describe, expect, test } from 'vitest';
import { Purse } from '../src/sandbox/purse.ts';
import { RestartRecord } from '../src/sandbox/restart-record.ts';
import { nextToStop } from '../src/sandbox/stop-order.ts';

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
