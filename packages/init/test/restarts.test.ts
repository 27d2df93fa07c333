/**
 * Tests the decisions about starting, restarting and stopping children: their quota, their crashes,
 * and which children use which.
 */
import { quietDeferred } from '@ginit/core/async';
import { describe, expect, test } from 'vitest';
import { RestartRecord } from '../src/sandbox/restart-record.ts';
import { nextToStop } from '../src/sandbox/stop-order.ts';
import { Treasury } from '../src/sandbox/treasury.ts';

const SECOND_US = 1_000_000;

describe('the restart budget', () => {
  test('of a start node without one restarts no child', () => {
    expect(new RestartRecord(undefined).grant(false, 0)).toBe(false);
    expect(new RestartRecord(undefined).grant(true, 0)).toBe(false);
  });

  test('is spent by crashes within its period, and comes back when they are older', () => {
    const record = new RestartRecord({ on: 'crash', max: 2, periodS: 10 });
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
    const record = new RestartRecord({ on: 'crash', max: 1, periodS: 10 });
    expect(record.grant(false, 0)).toBe(true);
    expect(record.count).toBe(0);
    expect(record.grant(true, 0)).toBe(true);
    expect(record.grant(true, 0)).toBe(false);
    expect(record.grant(false, 0)).toBe(true);
  });
});

describe('the pause before a restart', () => {
  test('is none for the first in the period, and doubles with each further one up to a bound', () => {
    const record = new RestartRecord({ on: 'crash', max: 20, periodS: 1000 });
    const pauses = Array.from({ length: 12 }, (_, index) => {
      record.grant(true, index);
      return record.pauseMs;
    });
    expect(pauses).toEqual([0, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000, 10_000]);
    record.clear();
    expect([record.grant(true, 99), record.pauseMs]).toEqual([true, 0]);
    const generous = new RestartRecord({ on: 'crash', max: 100, periodS: 20 });
    for (const us of [1, 2, 3, 4, 5]) generous.grant(true, us);
    expect(generous.pauseMs).toBe(200);
  });
});

describe('the quota that init can pay', () => {
  /** The account of init in a test, and a clock that does not go on by itself. */
  function bench(ram = 100, caps = 20) {
    const account = { ramQuota: ram, ramUsed: 40, capQuota: caps, capUsed: 5 };
    let looks = 0;
    const spare = async () => {
      looks++;
      return { ram: account.ramQuota - account.ramUsed, caps: account.capQuota - account.capUsed };
    };
    const treasury = new Treasury({ env: { timer: { sleep: async () => {} } }, spare });
    return { account, treasury, looks: () => looks };
  }
  const promise = (treasury: Treasury, ram: number, caps: number) => treasury.promise({ ram, caps });

  test('is all that init has and does not use', async () => {
    await promise(bench().treasury, 60, 15);
    await expect(promise(bench().treasury, 61, 15)).rejects.toThrow('61 bytes wanted, 60 left');
    await expect(promise(bench().treasury, 60, 16)).rejects.toThrow('16 caps wanted, 15 left');
  });

  test('is lowered by each amount promised, and not by a refused one; it is looked at once for all of them', async () => {
    const { treasury, looks } = bench();
    await promise(treasury, 20, 10);
    await promise(treasury, 30, 1);
    expect(looks()).toBe(1);
    await expect(promise(treasury, 11, 1)).rejects.toThrow('11 bytes wanted, 10 left');
    await promise(treasury, 10, 4);
  });

  test('is waited for while a child that ends is going to bring some back, in the order of the calls', async () => {
    const { treasury, account } = bench();
    const ended = quietDeferred<void>();
    treasury.expect(ended.promise);
    const order: string[] = [];
    const large = promise(treasury, 80, 1).then(() => order.push('large'));
    const small = promise(treasury, 10, 1).then(() => order.push('small'));
    await new Promise((resolve) => void setImmediate(resolve));
    expect(order).toEqual([]);
    account.ramUsed = 0;
    ended.resolve();
    await Promise.all([large, small]);
    expect(order).toEqual(['large', 'small']);
  });

  test('is not there for somebody who finds too little when nothing comes back any more', async () => {
    const { treasury } = bench();
    const paid = await promise(treasury, 50, 1);
    await expect(promise(treasury, 20, 1)).rejects.toThrow('20 bytes wanted, 10 left');
    paid();
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
