/**
 * Answers that come while the thread waits in a synchronous call for another one: they are bounded
 * by their bytes.
 */
import { expect, test } from 'vitest';
import { capability, capabilityFor } from '../src/capability/capability.ts';
import { EntryKind, FrameKind } from '../src/channel/frame.ts';
import { RpcError } from '../src/errors.ts';
import { type Capability, rpc, rpcInterface } from '../src/interface/interface.ts';
import { plansOf } from '../src/interface/operation.ts';
import { bytes, record, u32 } from '../src/interface/shapes.ts';
import { LIMITS } from '../src/limits.ts';
import type { SupervisorCalls } from '../src/runtime/control.ts';
import { SynchronousCalls } from '../src/runtime/synchronous.ts';
import { attack, payloadOf, type Scene, settled, Thing, type ThingCapability } from './channel-raw-peer.ts';

const SIZE = 2 ** 20;
const DATA = new Uint8Array(SIZE);
/** As many of that size as find room, with their frames. */
const ROOM = LIMITS.answerBytesAside / SIZE - 1;
const block = bytes(LIMITS.messageBytes);
const Bulk = rpcInterface('Bulk', {
  give: rpc<(size: number) => Uint8Array>({ args: [u32], result: block }),
  both: rpc<() => { data: Uint8Array; thing: ThingCapability }>({
    args: [],
    result: record({ data: block, thing: capability(Thing) }),
  }),
});

interface Bench {
  readonly scene: Scene;
  readonly bulk: Capability<typeof Bulk>;
  /**
   * Waits in a call, and has `meanwhile` happen before its own answer comes; the result is the
   * length of that.
   */
  wait(size: number, meanwhile: () => void): number;
  /** Answers the calls by these numbers. */
  answer(ids: readonly number[], size: number): void;
  /** Numbers of the calls that the peer has got. */
  calls(): number[];
}

const operation = (name: string) => {
  const plan = plansOf(Bulk).byName.get(name);
  if (!plan) throw new Error(`no operation ${name}`);
  return plan;
};

function bench(): Bench {
  const scene = attack();
  const bulk = capabilityFor(Bulk, scene.channel.import(0));
  const calls = (): number[] => scene.peer.received(FrameKind.call).map(({ first }) => first);
  const answer = (ids: readonly number[], size: number): void => {
    const payload = payloadOf((writer) => operation('give').writeResult(writer, DATA.subarray(0, size)));
    for (const first of ids) scene.peer.frame(FrameKind.result, { first }, payload);
  };
  let during = (): void => {};
  const core = {} as Capability<typeof SupervisorCalls>;
  const synchronous = new SynchronousCalls(scene.victim, core, (done) => {
    during();
    return done();
  });
  return {
    scene,
    bulk,
    calls,
    answer,
    wait: (size, meanwhile) => {
      during = () => {
        meanwhile();
        answer(calls().slice(-1), size);
      };
      return synchronous.view(Bulk, bulk, { timeoutMs: 1000 }).give(size).length;
    },
  };
}

const codeOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'right',
    (error: unknown) => (error instanceof RpcError ? error.code : error),
  );

test('an answer beyond the bound ends with LimitExceeded, and no other answer does', async () => {
  const { scene, bulk, calls, answer, wait } = bench();
  const outcomes = Array.from({ length: ROOM + 5 }, () => codeOf(bulk.give(SIZE)));
  const short = Array.from({ length: 10 }, () => codeOf(bulk.give(1)));
  const ids = calls();
  const waited = wait(SIZE, () => {
    answer(ids.slice(0, ROOM + 5), SIZE);
    answer(ids.slice(ROOM + 5), 1);
  });
  expect(waited).toBe(SIZE);
  const counted = await Promise.all(outcomes);
  expect(counted.slice(0, ROOM)).toEqual(Array.from({ length: ROOM }, () => 'right'));
  expect(counted.slice(ROOM)).toEqual(Array.from({ length: 5 }, () => 'LimitExceeded'));
  expect(new Set(await Promise.all(short))).toEqual(new Set(['right']));
  expect(scene.peer.closed).toBe(false);
});

test('the bound is for one turn: callers go on between two waits', async () => {
  const { bulk, calls, answer, wait } = bench();
  for (let round = 0; round < 2; round++) {
    const before = calls().length;
    const outcomes = Array.from({ length: ROOM }, () => codeOf(bulk.give(SIZE)));
    const ids = calls().slice(before);
    // In two waits, with nothing in between.
    wait(1, () => answer(ids.slice(0, ROOM / 2), SIZE));
    wait(1, () => answer(ids.slice(ROOM / 2), SIZE));
    expect(new Set(await Promise.all(outcomes))).toEqual(new Set(['right']));
  }
  const ids = calls().length;
  const outcomes = Array.from({ length: ROOM + 1 }, () => codeOf(bulk.give(SIZE)));
  const [first, ...rest] = calls().slice(ids);
  wait(1, () => answer(rest, SIZE));
  wait(1, () => answer(first === undefined ? [] : [first], SIZE));
  expect(await outcomes[0]).toBe('LimitExceeded');
  await Promise.all(outcomes);
  // Nobody waits now: as many as like.
  const more = calls().length;
  const later = Array.from({ length: ROOM + 5 }, () => codeOf(bulk.give(SIZE)));
  answer(calls().slice(more), SIZE);
  expect(new Set(await Promise.all(later))).toEqual(new Set(['right']));
});

test('an object that came with an answer beyond the bound is given back', async () => {
  const { scene, bulk, calls, answer, wait } = bench();
  const outcomes = Array.from({ length: ROOM }, () => codeOf(bulk.give(SIZE)));
  const both = codeOf(bulk.both());
  const ids = calls();
  const last = ids.at(-1) ?? 0;
  const payload = payloadOf((writer) => {
    operation('give').writeResult(writer, DATA);
  });
  wait(1, () => {
    answer(ids.slice(0, -1), SIZE);
    scene.peer.frame(FrameKind.result, { first: last }, payload, [
      { kind: EntryKind.mine, first: 7, second: 0 },
    ]);
  });
  expect(await both).toBe('LimitExceeded');
  await Promise.all(outcomes);
  await settled();
  expect(scene.peer.received(FrameKind.release).map(({ first, second }) => [first, second])).toEqual([
    [7, 1],
  ]);
});
