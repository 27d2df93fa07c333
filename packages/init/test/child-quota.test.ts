/**
 * Tests how the quota of a running child follows its start node, with real accounts: what it keeps,
 * what it gives back, and what it is given.
 */
import { RpcError } from '@ginit/core';
import { expect, test } from 'vitest';
import { INIT_COST } from '../src/model/index.ts';
import { ChildQuota } from '../src/sandbox/child-quota.ts';
import { Accounts } from './accounts.ts';

const K = 1024;
const M = K * K;
const start = (ram: number, caps: number, ramLimit?: number) => ({ ram, caps, ramLimit });
const EVERYTHING = { ram: 1000 * M, caps: 10_000 };

/** A child with 8 MiB and 100 capabilities, all of it in its account but what init needs. */
async function bench() {
  const accounts = new Accounts(100 * M, 1000);
  const { account, pd } = accounts.child('child', 0, 0);
  const warnings: string[] = [];
  const env = { pd: accounts.pd, warning: async (text: string) => void warnings.push(text) };
  const quota = new ChildQuota({ env }, 'child');
  // The account hangs on that of init already.
  const given = { ...pd, setReferenceAccount: async () => {} };
  await quota.give(Object.assign(pd, given), start(8 * M, 100));
  return { quota, account, accounts, warnings, pd };
}

test('a child is given its start node less what init needs for it', async () => {
  const { quota, account } = await bench();
  expect(quota.assigned).toEqual({ ram: 8 * M, caps: 100 });
  expect(account.free).toEqual({ ram: 8 * M - INIT_COST.ram, caps: 100 - INIT_COST.caps });
  expect(quota.given).toEqual(account.free);
});

test('what it does not use is taken back; 16 KiB and 5 capabilities stay free, and the rest is said', async () => {
  const { quota, account, warnings } = await bench();
  expect(await quota.shrink(start(6 * M, 90))).toEqual({ ram: 0, caps: 0 });
  expect(quota.assigned).toEqual({ ram: 6 * M, caps: 90 });
  const allocation = account.allocate({ ram: 4 * M, caps: 40 });
  const rest = await quota.shrink(start(M, 40));
  expect(account.free).toEqual({ ram: 16 * K, caps: 5 });
  expect(rest).toEqual({ ram: quota.assigned.ram - M, caps: quota.assigned.caps - 40 });
  expect(await quota.shrink(start(M, 40))).toEqual(rest);
  account.release(allocation);
  expect(await quota.shrink(start(M, 40))).toEqual({ ram: 0, caps: 0 });
  expect(quota.assigned).toEqual({ ram: M, caps: 40 });
  expect(warnings).toEqual([]);
});

test('a child that uses up what was free a moment ago is left alone after four attempts, with a warning', async () => {
  const { quota, pd, warnings } = await bench();
  let tries = 0;
  Object.assign(pd, {
    transfer: async () => {
      tries++;
      throw new RpcError('OUT_OF_RAM', 'gone');
    },
  });
  expect(await quota.shrink(start(7 * M, 100))).toEqual({ ram: M, caps: 0 });
  expect(tries).toBe(4);
  expect(warnings).toEqual(['child "child": its ram quota could not be lowered after 4 attempts']);
});

test('it is given what it lacks, as far as init has it', async () => {
  const { quota, account } = await bench();
  expect(await quota.grow(start(9 * M, 120), { ram: M / 2, caps: 1000 })).toEqual({ ram: M / 2, caps: 20 });
  expect(await quota.grow(start(9 * M, 120), EVERYTHING)).toEqual({ ram: M / 2, caps: 0 });
  expect(await quota.grow(start(9 * M, 120), EVERYTHING)).toEqual({ ram: 0, caps: 0 });
  expect(account.free).toEqual({ ram: 9 * M - INIT_COST.ram, caps: 120 - INIT_COST.caps });
});

test('what it was granted up to its ram_limit is not taken back, unless the limit is lowered', async () => {
  const { quota } = await bench();
  await quota.grant({ ram: 2 * M, caps: 0 });
  expect(await quota.shrink(start(8 * M, 100, 12 * M))).toEqual({ ram: 0, caps: 0 });
  expect([quota.assigned.ram, quota.granted.ram]).toEqual([10 * M, 2 * M]);
  expect(await quota.shrink(start(8 * M, 100, 9 * M))).toEqual({ ram: 0, caps: 0 });
  expect([quota.assigned.ram, quota.granted.ram]).toEqual([9 * M, M]);
});

test('nothing is moved when its account has ended', async () => {
  const { quota } = await bench();
  quota.end();
  expect(await quota.shrink(start(M, 40))).toEqual({ ram: 0, caps: 0 });
  expect(await quota.grow(start(50 * M, 500), EVERYTHING)).toEqual({ ram: 0, caps: 0 });
  expect(quota.active).toBe(false);
});
