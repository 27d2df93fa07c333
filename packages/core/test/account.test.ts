/** Accounts one by one: what moves where, and what is refused. The model test has their trees. */
import { describe, expect, test } from 'vitest';
import { RpcError } from '@ginit/core';
import { Account } from '../src/supervisor/account.ts';

const MIB = 2 ** 20;
const NOTHING = { ram: 0, caps: 0 };

/** The code that `step` throws; `undefined` if it throws nothing. */
function codeOf(step: () => unknown): string | undefined {
  try {
    step();
    return undefined;
  } catch (error) {
    if (error instanceof RpcError) return error.code;
    throw error;
  }
}

/** A chain of accounts, each the reference of the next; all quota is with the first. */
function chain(...labels: string[]): Account[] {
  const accounts = labels.map(
    (label, index) => new Account(label, index === 0 ? { ram: 100 * MIB, caps: 1000 } : NOTHING),
  );
  accounts.forEach((account, index) => {
    const reference = accounts[index - 1];
    if (reference) account.setReference(reference);
  });
  return accounts;
}

function at(accounts: readonly Account[], index: number): Account {
  const account = accounts[index];
  if (!account) throw new Error(`no account ${index}`);
  return account;
}

const quotaOf = ({ state: { ramQuota, capQuota } }: Account) => ({ ram: ramQuota, caps: capQuota });

describe('transfer', () => {
  test('moves quota to the reference account and back, and to nobody else', () => {
    const accounts = chain('root', 'child', 'grandchild');
    const [root, child, grandchild] = [at(accounts, 0), at(accounts, 1), at(accounts, 2)];
    const sibling = new Account('sibling');
    sibling.setReference(root);
    root.transfer(child, { ram: 10, caps: 5 });
    child.transfer(grandchild, { ram: 4, caps: 2 });
    expect(codeOf(() => child.transfer(sibling, { ram: 1, caps: 1 }))).toBe('DENIED');
    expect(codeOf(() => grandchild.transfer(root, { ram: 1, caps: 1 }))).toBe('DENIED');
    expect(codeOf(() => root.transfer(grandchild, { ram: 1, caps: 1 }))).toBe('DENIED');
    expect(codeOf(() => root.transfer(root, { ram: 1, caps: 1 }))).toBe('DENIED');
    expect(codeOf(() => child.transferUpTo(sibling, { ram: 1, caps: 1 }))).toBe('DENIED');
    child.transfer(root, { ram: 6, caps: 3 });
    expect([quotaOf(child), quotaOf(grandchild), quotaOf(sibling)]).toEqual([
      NOTHING,
      { ram: 4, caps: 2 },
      NOTHING,
    ]);
  });

  test('moves what is free, all of it or nothing', () => {
    const accounts = chain('root', 'child');
    const [root, child] = [at(accounts, 0), at(accounts, 1)];
    root.transfer(child, { ram: 100, caps: 10 });
    const allocation = child.allocate({ ram: 60, caps: 4 });
    expect(codeOf(() => child.transfer(root, { ram: 41, caps: 0 }))).toBe('OUT_OF_RAM');
    expect(codeOf(() => child.transfer(root, { ram: 0, caps: 7 }))).toBe('OUT_OF_CAPS');
    expect(quotaOf(child)).toEqual({ ram: 100, caps: 10 });
    child.transfer(root, { ram: 40, caps: 6 });
    child.release(allocation);
    expect(child.free).toEqual({ ram: 60, caps: 4 });
  });

  test('is refused to an account that has ended, and from one', () => {
    const accounts = chain('root', 'child');
    const [root, child] = [at(accounts, 0), at(accounts, 1)];
    root.transfer(child, { ram: 10, caps: 1 });
    child.end();
    expect(codeOf(() => root.transfer(child, { ram: 1, caps: 0 }))).toBe('DENIED');
    expect(codeOf(() => root.transferUpTo(child, { ram: 1, caps: 0 }))).toBe('DENIED');
    expect(codeOf(() => child.transfer(root, NOTHING))).toBe('DENIED');
    expect(codeOf(() => child.transferUpTo(root, NOTHING))).toBe('DENIED');
    expect(codeOf(() => child.allocate(NOTHING))).toBe('DENIED');
    expect(quotaOf(root)).toEqual({ ram: 100 * MIB, caps: 1000 });
  });

  test('amounts that are negative, not whole or too large are refused before anything moves', () => {
    const accounts = chain('root', 'child');
    const [root, child] = [at(accounts, 0), at(accounts, 1)];
    for (const ram of [-1, 0.5, Number.NaN, 2 ** 53]) {
      expect(() => root.transfer(child, { ram, caps: 0 })).toThrow('amounts are whole');
      expect(() => root.transferUpTo(child, { ram, caps: 0 })).toThrow('amounts are whole');
      expect(() => root.allocate({ ram: 0, caps: ram })).toThrow('amounts are whole');
    }
    expect(quotaOf(root)).toEqual({ ram: 100 * MIB, caps: 1000 });
  });
});

describe('transferUpTo', () => {
  test('moves what is free, never more than was asked for, and says how much', () => {
    const accounts = chain('root', 'child');
    const [root, child] = [at(accounts, 0), at(accounts, 1)];
    root.transfer(child, { ram: 100, caps: 10 });
    child.allocate({ ram: 70, caps: 9 });
    expect(child.transferUpTo(root, { ram: 20, caps: 5 })).toEqual({ ram: 20, caps: 1 });
    expect(child.transferUpTo(root, { ram: 20, caps: 5 })).toEqual({ ram: 10, caps: 0 });
    expect(child.transferUpTo(root, { ram: 20, caps: 5 })).toEqual(NOTHING);
    expect(quotaOf(child)).toEqual({ ram: 70, caps: 9 });
    expect(quotaOf(root)).toEqual({ ram: 100 * MIB - 70, caps: 991 });
  });
});

describe('reference accounts', () => {
  test('are set once, and never in a circle', () => {
    const accounts = chain('root', 'child', 'grandchild');
    const [root, child, grandchild] = [at(accounts, 0), at(accounts, 1), at(accounts, 2)];
    expect(codeOf(() => root.setReference(root))).toBe('DENIED');
    expect(codeOf(() => root.setReference(child))).toBe('DENIED');
    expect(codeOf(() => root.setReference(grandchild))).toBe('DENIED');
    expect(codeOf(() => grandchild.setReference(root))).toBe('DENIED');
    expect(root.total).toEqual({ ram: 100 * MIB, caps: 1000 });
  });

  test('must be live, and so must the account that gets one', () => {
    const [ended, fresh] = [new Account('ended'), new Account('fresh')];
    ended.end();
    expect(codeOf(() => fresh.setReference(ended))).toBe('DENIED');
    expect(codeOf(() => ended.setReference(fresh))).toBe('DENIED');
  });
});

describe('the end of an account', () => {
  test('gives all to the reference account, used or not, and says how much, each time', () => {
    const accounts = chain('root', 'child');
    const [root, child] = [at(accounts, 0), at(accounts, 1)];
    root.transfer(child, { ram: 100, caps: 10 });
    const allocation = child.allocate({ ram: 30, caps: 3 });
    child.holdObjects(4);
    expect(child.end()).toEqual({ ram: 100, caps: 10 });
    expect(child.end()).toEqual({ ram: 100, caps: 10 });
    child.release(allocation);
    expect(child.holdObjects(5)).toBe(0);
    expect(child.state).toEqual({ ramQuota: 0, ramUsed: 0, capQuota: 0, capUsed: 0 });
    expect(root.state).toEqual({ ramQuota: 100 * MIB, ramUsed: 0, capQuota: 1000, capUsed: 0 });
  });

  test('in the middle of a chain loses nothing: the rest arrives at the nearest account that lives', () => {
    const accounts = chain('init', 'mid', 'inner', 'leaf');
    const [init, mid, inner, leaf] = [at(accounts, 0), at(accounts, 1), at(accounts, 2), at(accounts, 3)];
    init.transfer(mid, { ram: 80 * MIB, caps: 800 });
    mid.transfer(inner, { ram: 70 * MIB, caps: 700 });
    inner.transfer(leaf, { ram: 40 * MIB, caps: 400 });
    expect(mid.end()).toEqual({ ram: 10 * MIB, caps: 100 });
    expect(inner.end()).toEqual({ ram: 30 * MIB, caps: 300 });
    expect(leaf.end()).toEqual({ ram: 40 * MIB, caps: 400 });
    expect(init.free).toEqual({ ram: 100 * MIB, caps: 1000 });
  });

  test('leaves the accounts that hung on it to its reference account: quota still moves between them', () => {
    const accounts = chain('init', 'mid', 'leaf');
    const [init, mid, leaf] = [at(accounts, 0), at(accounts, 1), at(accounts, 2)];
    init.transfer(mid, { ram: 50, caps: 50 });
    mid.transfer(leaf, { ram: 20, caps: 20 });
    mid.end();
    leaf.transfer(init, { ram: 5, caps: 5 });
    init.transfer(leaf, { ram: 1, caps: 1 });
    expect(quotaOf(leaf)).toEqual({ ram: 16, caps: 16 });
    expect(init.total).toEqual({ ram: 100 * MIB, caps: 1000 });
  });

  test('without a reference account keeps its quota, and frees the accounts that hung on it', () => {
    const accounts = chain('root', 'child');
    const [root, child] = [at(accounts, 0), at(accounts, 1)];
    root.transfer(child, { ram: 7, caps: 7 });
    expect(root.end()).toEqual(NOTHING);
    const other = new Account('other');
    child.setReference(other);
    child.end();
    expect(quotaOf(other)).toEqual({ ram: 7, caps: 7 });
  });
});

test('an allocation that a fault plan denies is denied once, and the plan is told when it cannot happen any more', () => {
  const account = new Account('one', { ram: 10, caps: 10 });
  let taken = 0;
  account.denyNext('ram', () => taken++);
  account.allocate({ ram: 0, caps: 1 });
  expect(codeOf(() => account.allocate({ ram: 1, caps: 0 }))).toBe('OUT_OF_RAM');
  account.allocate({ ram: 1, caps: 0 });
  expect(taken).toBe(1);
  account.denyNext('caps', () => taken++);
  account.end();
  expect(taken).toBe(2);
  account.denyNext('caps', () => taken++);
  expect(taken).toBe(3);
});
