/**
 * Tests the decisions about starting, restarting and stopping children: their quota, their crashes,
 * and which children use which.
 */
import { describe, expect, test } from 'vitest';
import { Purse } from '../src/sandbox/purse.ts';
import { RestartRecord } from '../src/sandbox/restart-record.ts';
import { nextToStop } from '../src/sandbox/stop-order.ts';

const SECOND_US = 1_000_000;

describe('the restart budget', () => {
  test('of a start node without one restarts no child', () => {
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

  test('is not spent by a child that merely lived in the process of the one that crashed, and does not bound its restarts', () => {
    const record = new RestartRecord({ max: 1, periodS: 10 });
    expect(record.grant(false, 0)).toBe(true);
    expect(record.count).toBe(0);
    expect(record.grant(true, 0)).toBe(true);
    expect(record.grant(true, 0)).toBe(false);
    expect(record.grant(false, 0)).toBe(true);
  });
});

describe('the quota that init can pay', () => {
  const purse = (): Purse => new Purse({ ramQuota: 100, ramUsed: 40, capQuota: 20, capUsed: 5 });

  test('is all that init has and does not use', () => {
    expect(() => purse().take({ ram: 60, caps: 15 })).not.toThrow();
    expect(() => purse().take({ ram: 61, caps: 15 })).toThrow('61 bytes wanted, 60 left');
    expect(() => purse().take({ ram: 60, caps: 16 })).toThrow('16 caps wanted, 15 left');
  });

  test('is lowered by each amount taken, and not by a refused one', () => {
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

  test('begins with all children that no other child uses; a child that uses itself is used by no other', () => {
    const [disk, fs] = [candidate('disk', []), candidate('fs', ['disk', 'fs'])];
    expect(namesOf(disk, fs, candidate('tool', ['fs']), candidate('clock', []))).toEqual(['tool', 'clock']);
    expect(namesOf(disk, fs)).toEqual(['fs']);
    expect(namesOf(disk)).toEqual(['disk']);
  });

  test('keeps the servers of a child that is being stopped until it is gone', () => {
    expect(namesOf(candidate('disk', []), candidate('fs', ['disk'], true))).toEqual(['fs']);
  });

  test('takes the last child of a circle first, and the others wait for it', () => {
    const [one, two] = [candidate('one', ['two']), candidate('two', ['one'])];
    expect(namesOf(one, two)).toEqual(['two']);
    expect(namesOf(one, candidate('two', ['one'], true))).toEqual([]);
  });
});
