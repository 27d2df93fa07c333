/**
 * Large messages, many at once: load of an honest peer ends no session, in either direction, and an
 * end has a reason.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { capabilityFor } from '../src/capability/capability.ts';
import { RpcError } from '../src/errors.ts';
import { type Capability, rpc, rpcInterface } from '../src/interface/interface.ts';
import { bytes, u32, u53 } from '../src/interface/shapes.ts';
import { LIMITS } from '../src/limits.ts';
import { pairOf } from './channel-pair.ts';
import type { CarrierKind } from './in-process-platform.ts';
import { allLongIf } from '../../../test/harness/long.ts';
import { ringCarriers } from './ring-carriers.ts';

const SIZE = 9_000_000;
const DATA = new Uint8Array(SIZE + 100);
afterEach(() => void DATA.fill(0));

const block = bytes(LIMITS.messageBytes);
const Bulk = rpcInterface('Bulk', {
  take: rpc<(data: Uint8Array) => number>({ args: [block], result: u53 }),
  give: rpc<(size: number) => Uint8Array>({ args: [u32], result: block }),
  giveLater: rpc<(size: number) => Uint8Array>({ args: [u32], result: block }),
});

function bulkOver(kind: CarrierKind): { bulk: Capability<typeof Bulk>; pair: ReturnType<typeof pairOf> } {
  const pair = pairOf(kind, Bulk, {
    take: (taken) => taken.length,
    give: (size) => DATA.subarray(0, size),
    giveLater: async (size) => {
      await new Promise((resolve) => setImmediate(resolve));
      return DATA.subarray(0, size);
    },
  });
  return { bulk: capabilityFor(Bulk, pair.ends[0].import(0)), pair };
}

/** The results of calls made at once: for each the right size, or a code. */
async function many(count: number, call: (size: number) => Promise<number>): Promise<Map<string, number>> {
  const sizes = Array.from({ length: count }, (_, index) => SIZE + index);
  const outcomes = await Promise.all(
    sizes.map((size) =>
      call(size).then(
        (found) => (found === size ? 'right' : `${found} instead of ${size}`),
        (error: unknown) => (error instanceof RpcError ? error.code : String(error)),
      ),
    ),
  );
  const counts = new Map<string, number>();
  for (const outcome of outcomes) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  return counts;
}

describe.each<CarrierKind>(['rings', 'copying'])('over a carrier that is %s', (kind) => {
  allLongIf(kind === 'copying');

  test('thirty calls with 9 MB each, at once, all succeed', { timeout: 240_000 }, async () => {
    const { bulk } = bulkOver(kind);
    expect(await many(30, (size) => bulk.take(DATA.subarray(0, size)))).toEqual(new Map([['right', 30]]));
  });

  test('thirty answers of 9 MB each, at once, all arrive', { timeout: 240_000 }, async () => {
    const { bulk } = bulkOver(kind);
    const give = async (size: number): Promise<number> => (await bulk.give(size)).length;
    const giveLater = async (size: number): Promise<number> => (await bulk.giveLater(size)).length;
    expect(await many(30, give)).toEqual(new Map([['right', 30]]));
    expect(await many(30, giveLater)).toEqual(new Map([['right', 30]]));
  });

  test('small calls get through beside the large ones that wait', { timeout: 240_000 }, async () => {
    const { bulk } = bulkOver(kind);
    const large = many(20, (size) => bulk.take(DATA.subarray(0, size)));
    const small = await Promise.all(
      Array.from({ length: 2000 }, (_, size) => bulk.take(DATA.subarray(0, size))),
    );
    expect(small.every((found, size) => found === size)).toBe(true);
    expect(await large).toEqual(new Map([['right', 20]]));
  });
});

test('more answers than may wait end with LimitExceeded, and the session goes on', {
  timeout: 240_000,
}, async () => {
  const { bulk, pair } = bulkOver('rings');
  const counts = await many(60, async (size) => (await bulk.giveLater(size)).length);
  expect([...counts.keys()].toSorted()).toEqual(['LimitExceeded', 'right']);
  expect(counts.get('right')).toBeGreaterThanOrEqual(Math.floor(LIMITS.answerBytesWaiting / SIZE) - 1);
  expect(await bulk.take(DATA.subarray(0, 5))).toBe(5);
  expect(await many(5, async (size) => (await bulk.give(size)).length)).toEqual(new Map([['right', 5]]));
  expect(pair.ends[0].closed).toBe(false);
  expect(pair.reports).toEqual([]);
});

test('calls of a component that serves somebody do not wait, but are refused beyond a bound, and the session goes on', async () => {
  const { bulk, pair } = bulkOver('rings');
  pair.client.served = 1;
  const counts = await many(40, (size) => bulk.take(DATA.subarray(0, size)));
  expect([...counts.keys()].toSorted()).toEqual(['LimitExceeded', 'right']);
  expect(counts.get('right')).toBe(Math.ceil(LIMITS.callBytesInFlight / SIZE));
  pair.client.served = 0;
  expect(await bulk.take(DATA.subarray(0, 5))).toBe(5);
});

test('calls of a middling size are counted by their bytes as well', async () => {
  const { bulk, pair } = bulkOver('rings');
  pair.client.served = 1;
  const size = 60 * 1024;
  const count = Math.ceil(LIMITS.callBytesInFlight / size) + 100;
  const calls = Array.from({ length: count }, () => bulk.take(DATA.subarray(0, size)));
  const outcomes = await Promise.allSettled(calls);
  const refused = outcomes.filter(({ status }) => status === 'rejected');
  expect(refused.length).toBeGreaterThan(0);
  expect(refused[0]).toMatchObject({ reason: { code: 'LimitExceeded' } });
  pair.client.served = 0;
  expect(await bulk.take(DATA.subarray(0, 5))).toBe(5);
});

test('a channel that ends says why, at the other end too', async () => {
  const [accuser, accused] = ringCarriers(4096);
  const why = new Promise<string | undefined>((resolve) => accused.closed(resolve));
  accused.receive(() => {});
  accuser.receive(() => {});
  accuser.close(true);
  expect(await why).toBe('the peer ended the channel, because this end broke its protocol');
});

test('a channel that is simply closed has no reason', async () => {
  const [here, there] = ringCarriers(4096);
  const why = new Promise<string | undefined>((resolve) => there.closed(resolve));
  there.receive(() => {});
  here.close();
  expect(await why).toBe(undefined);
});

test('a peer that does not read loses the channel at last, and both ends learn the reason', async () => {
  const [writer, reader] = ringCarriers(64 * 1024);
  const why = new Promise<string | undefined>((resolve) => writer.closed(resolve));
  writer.receive(() => {});
  const long = new Uint8Array(16 * 1024 * 1024);
  for (let sent = 0; sent <= LIMITS.ringWaitingBytes; sent += long.length) writer.send(long, []);
  expect(await why).toBe('the peer does not read: too much waits for it');
  const there = new Promise<string | undefined>((resolve) => reader.closed(resolve));
  reader.receive(() => {});
  expect(await there).toBe('the peer ended the channel, because this end read too little');
});
