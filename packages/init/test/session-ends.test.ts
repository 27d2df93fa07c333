/**
 * Tests the parts that ends of sessions are made of: amounts, ends that many wait for, and the
 * quota that a child leaves behind.
 */
import { hasCode, PeerGone, RpcError, SessionError } from '@ginit/core';
import { quietDeferred } from '@ginit/core/async';
import { describe, expect, test } from 'vitest';
import { amountText, atMost, isNothing, minus, NOTHING, plus } from '../src/sandbox/amounts.ts';
import { Ending } from '../src/sandbox/ending.ts';
import { Leftover } from '../src/sandbox/leftover.ts';
import { refusalFor } from '../src/sandbox/session-server.ts';

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

test('amounts of RAM and capabilities are computed apart and are never negative', () => {
  const [one, two] = [
    { ram: 10, caps: 1 },
    { ram: 4, caps: 3 },
  ];
  expect(plus(one, two)).toEqual({ ram: 14, caps: 4 });
  expect(minus(one, two)).toEqual({ ram: 6, caps: 0 });
  expect(minus(two, one)).toEqual({ ram: 0, caps: 2 });
  expect(atMost(one, two)).toEqual({ ram: 4, caps: 1 });
  expect([NOTHING, { ram: 1, caps: 0 }, { ram: 0, caps: 1 }].map(isNothing)).toEqual([true, false, false]);
  expect(amountText(one)).toBe('10 bytes and 1 caps');
});

describe('an end', () => {
  test('happens once, for everybody who waits for it, and at once for those who come later', () => {
    const [ending, told] = [new Ending(), [] as string[]];
    ending.on(() => void told.push('first'));
    const cancel = ending.on(() => void told.push('cancelled'));
    cancel();
    const reason = new PeerGone('the first reason');
    ending.end(reason);
    ending.end(new PeerGone('another'));
    expect(ending.reason).toBe(reason);
    expect(told).toEqual(['first']);
    ending.on(() => void told.push('late'))();
    expect(told).toEqual(['first', 'late']);
  });

  test('leaves a step that is done before it its own result, and nothing is late', async () => {
    const [ending, late] = [new Ending(), [] as number[]];
    expect(await ending.unless(Promise.resolve(7), (value) => late.push(value))).toBe(7);
    await expect(ending.unless(Promise.reject(new Error('own')))).rejects.toThrow('own');
    ending.end(new PeerGone());
    expect(late).toEqual([]);
  });

  test('rejects a step that is not done with its reason, and hands on a value that comes late', async () => {
    const [ending, late] = [new Ending(), [] as number[]];
    const step = quietDeferred<number>();
    const waiting = ending.unless(step.promise, (value) => late.push(value)).catch(String);
    ending.end(new PeerGone('it has ended'));
    expect(await waiting).toContain('it has ended');
    step.resolve(7);
    await turn();
    expect(late).toEqual([7]);
    await expect(ending.unless(new Promise(() => {}))).rejects.toThrow('it has ended');
  });
});

describe('the quota that a child leaves behind', () => {
  /** Starts a `take`; the result shows what it has given, once it has. */
  function taking(leftover: Leftover, ram: number, patient: boolean) {
    const seen: { ram?: number } = {};
    void leftover.take({ ram, caps: 0 }, patient).then((taken) => {
      seen.ram = taken.ram;
    });
    return seen;
  }

  test('is given out when the account has ended, to each client from what is left', async () => {
    const leftover = new Leftover();
    leftover.add({ ram: 5, caps: 0 });
    const [first, second] = [taking(leftover, 10, false), taking(leftover, 10, false)];
    await turn();
    expect([first, second]).toEqual([{}, {}]);
    leftover.accountEnded({ ram: 10, caps: 0 });
    await turn();
    expect([first, second]).toEqual([{ ram: 10 }, { ram: 5 }]);
  });

  test('keeps patient clients waiting for the rest, but only as long as more is to come', async () => {
    const leftover = new Leftover();
    leftover.accountEnded({ ram: 10, caps: 0 });
    const [enough, short] = [taking(leftover, 8, true), taking(leftover, 8, true)];
    await turn();
    expect([enough, short]).toEqual([{ ram: 8 }, {}]);
    leftover.add({ ram: 3, caps: 0 });
    leftover.complete();
    await turn();
    expect(short).toEqual({ ram: 5 });
  });
});

test('a client is told session errors as they are, and of any other error only that the server failed or is gone', () => {
  const own = new SessionError('INSUFFICIENT_RAM', 'more');
  expect(refusalFor(own, 'server "x"')).toBe(own);
  const told = (error: unknown): string => {
    const refusal = refusalFor(error, 'server "x"');
    return `${refusal.code} ${refusal.message}`;
  };
  expect(hasCode(refusalFor(new RpcError('OUT_OF_CAPS', 'short'), 'x'), 'OUT_OF_CAPS')).toBe(true);
  expect(told(new RpcError('OUT_OF_CAPS', 'short'))).toContain('short');
  expect(told(new RpcError('InternalError', 'secret'))).toBe('DENIED server "x" failed');
  expect(told(new Error('secret'))).toBe('DENIED server "x" failed');
  expect(told(new PeerGone())).toBe('DENIED server "x" is gone');
});
