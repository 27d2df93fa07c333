/**
 * Calls that are refused, by the caller's own channel or by the callee: what came with them is
 * given back, exactly, and the tables of both ends are as they were before.
 */
import { describe, expect, test } from 'vitest';
import * as core from '../src/index.ts';
import { LIMITS } from '../src/limits.ts';
import { capabilityFor } from '../src/capability/capability.ts';
import { CONTENT_INLINE, type Entry, EntryKind, FrameKind } from '../src/channel/frame.ts';
import {
  bytes,
  call,
  callRaw,
  code,
  failures,
  givenBack,
  holds,
  latestCall,
  mine,
} from './channel-hostile-checks.ts';
import {
  attack,
  HONEST,
  operation,
  payloadOf,
  type Scene,
  settled,
  Target,
  Thing,
} from './channel-raw-peer.ts';
import { pairOf, tables, thing } from './channel-pair.ts';
import type { CarrierKind } from './in-process-platform.ts';

const { capability, list, nothing, rpc, rpcInterface, text } = core;
type ThingCapability = core.Capability<typeof Thing>;

describe('a peer gets back what came with a call', () => {
  const words = (value: string): Uint8Array => payloadOf((writer) => writer.text(value));
  const three = [mine(7), mine(7), mine(9)];
  const stream: Entry = { kind: EntryKind.stream, first: 5, second: CONTENT_INLINE };
  const wrongRom: Entry = { kind: EntryKind.rom, first: 3, second: CONTENT_INLINE };
  const cases: [string, string, Uint8Array, Entry[], Record<number, number>][] = [
    ['whose arguments are too short', 'pair', bytes(), [mine(7), mine(9)], { 7: 1, 9: 1 }],
    ['whose arguments are cut off', 'pair', bytes(5, 0x61), [mine(7), mine(9)], { 7: 1, 9: 1 }],
    ['with bytes behind the arguments', 'pair', bytes(1, 0x61, 0), [mine(7), mine(9)], { 7: 1, 9: 1 }],
    ['with an argument that does not fit', 'pair', words('far too long'), [mine(7), mine(8)], { 7: 1, 8: 1 }],
    ['that carries too little', 'pair', words('x'), [mine(7)], { 7: 1 }],
    ['that carries nothing', 'keep', bytes(), [], {}],
    [
      'that carries what was never granted',
      'pair',
      words('x'),
      [mine(7), yours(77), mine(9)],
      { 7: 1, 9: 1 },
    ],
    ['that carries a dataspace instead', 'pair', words('x'), [mine(7), wrongRom, mine(9)], { 7: 1, 9: 1 }],
    ['that carries a stream instead', 'pair', words('x'), [mine(7), stream, mine(9)], { 7: 1, 9: 1 }],
    ['with content of the wrong length', 'rom', bytes(2, 1, 2), [wrongRom, ...three], { 7: 2, 9: 1 }],
    ['with content that is cut off', 'rom', bytes(3, 1, 2), [wrongRom, ...three], { 7: 2, 9: 1 }],
    [
      'with writeable memory for content',
      'rom',
      bytes(3, 1, 2, 3),
      [{ ...wrongRom, kind: EntryKind.ram }],
      {},
    ],
    ['that gives one object often', 'keepAll', bytes(4), three, { 7: 2, 9: 1 }],
    ['without shapes', 'any', bytes(1, 1, 0xc1), three, { 7: 2, 9: 1 }],
  ];

  test.each(cases)('%s', async (_, name, payload, entries, released) => {
    const scene = attack();
    callRaw(scene, 1, name, payload, entries);
    expect(failures(scene)).toEqual(['InvalidArgument']);
    expect(Object.fromEntries(givenBack(scene))).toEqual(released);
    expect(scene.peer.received(FrameKind.streamClosed)).toHaveLength(entries.includes(stream) ? 1 : 0);
    expect(scene.kept).toEqual([]);
    expect(scene.channel.importedObjects).toBe(1);
    await holds(scene, 'open');
  });

  test.each<[string, (scene: Scene) => void]>([
    ['of a revoked object', ({ target }) => target.revoke()],
    ['of an object that is not there', () => {}],
    ['of an operation that is not there', () => {}],
  ])('%s', async (what, prepare) => {
    const scene = attack();
    prepare(scene);
    const second = what.includes('object that') ? 5 : 0;
    const third = what.includes('operation') ? 123 : operation('pair').key;
    const entries = [...three, stream, { kind: EntryKind.theirs, first: 1, second: HONEST }];
    scene.peer.frame(FrameKind.call, { first: 1, second, third }, words('x'), entries);
    expect(failures(scene)).toEqual([what.includes('operation') ? 'UnknownOperation' : 'Revoked']);
    expect(Object.fromEntries(givenBack(scene))).toEqual({ 7: 2, 9: 1 });
    expect(scene.peer.received(FrameKind.streamClosed)).toHaveLength(1);
    expect(scene.channel.importedObjects).toBe(1);
    scene.peer.die();
    expect(scene.victim.census().introductions).toBe(0);
    expect(await scene.remote.poke().catch(() => 'gone')).toBe('gone');
  });

  test('beyond the entries that the payload mentions, even if the call succeeds', async () => {
    const scene = attack();
    callRaw(scene, 1, 'later', bytes(), [...three, stream]);
    callRaw(scene, 2, 'keep', bytes(), [mine(20), mine(20)]);
    await settled();
    expect(failures(scene)).toEqual([]);
    expect(Object.fromEntries(givenBack(scene))).toEqual({ 7: 2, 9: 1 });
    expect(scene.peer.received(FrameKind.streamClosed)).toHaveLength(1);
    for (const kept of scene.kept) kept[Symbol.dispose]();
    expect(Object.fromEntries(givenBack(scene))).toEqual({ 7: 2, 9: 1, 20: 2 });
    await holds(scene, 'open');
  });

  test.each<[string, Uint8Array, Entry[], string]>([
    ['with more behind it', bytes(0), [mine(7), mine(9)], 'InvalidArgument'],
    ['of another kind', bytes(), [stream, mine(7)], 'InvalidArgument'],
    ['with nothing', bytes(), [], 'InvalidArgument'],
  ])('and with an answer %s', async (_, payload, entries, failed) => {
    const scene = attack();
    const asked = capabilityFor(Target, scene.channel.import(0)).thing();
    scene.peer.frame(FrameKind.result, { first: latestCall(scene) }, payload, entries);
    expect(await code(asked)).toBe(failed);
    const counted = entries.filter(({ kind }) => kind === EntryKind.mine).map(({ first }) => [first, 1]);
    expect(Object.fromEntries(givenBack(scene))).toEqual(Object.fromEntries(counted));
    await holds(scene, 'open');
  });

  test('after which its next call is served', async () => {
    const scene = attack();
    callRaw(scene, 1, 'pair', bytes(), three);
    call(scene, 2, 'echo', 'x');
    expect(scene.peer.received(FrameKind.result).map(({ first }) => first)).toEqual([2]);
    await holds(scene, 'open');
  });
});

function yours(index: number): Entry {
  return { kind: EntryKind.yours, first: index, second: 0 };
}

const failureOf = async (promise: Promise<unknown>): Promise<core.RpcError> => {
  const error: unknown = await promise.then(
    () => 'succeeded',
    (reason: unknown) => reason,
  );
  if (error instanceof core.RpcError) return error;
  throw new Error(`no RpcError: ${String(error)}`);
};

describe.each<CarrierKind>(['shared', 'copying'])('an honest caller on a carrier that is %s', (kind) => {
  const Keeper = rpcInterface('Keeper', {
    keep: rpc<(thing: ThingCapability, words: string) => void>({
      args: [capability(Thing), text(10)],
      result: nothing,
    }),
    keepAll: rpc<(things: ThingCapability[]) => void>({
      args: [list(capability(Thing), 200)],
      result: nothing,
    }),
    big: rpc<(thing: ThingCapability, content: Uint8Array) => void>({
      args: [capability(Thing), core.bytes(2 ** 30)],
      result: nothing,
    }),
  });
  /** A later version of the same. */
  const NewKeeper = rpcInterface('Keeper', {
    keep: rpc<(thing: ThingCapability, words: string) => void>({
      args: [capability(Thing), text(11)],
      result: nothing,
    }),
    drop: rpc<(thing: ThingCapability) => void>({ args: [capability(Thing)], result: nothing }),
  });
  const implementation = { keep: () => {}, keepAll: () => {}, big: () => {} };

  test('is told what it calls wrongly, and gives nothing away', async () => {
    const pair = pairOf(kind, Keeper, implementation);
    const keeper = capabilityFor(Keeper, pair.ends[0].import(0));
    const before = tables(pair);
    const one = thing(pair);
    const wrong: [Promise<unknown>, string, string][] = [
      [
        keeper.keep(one, 'far too long a text'),
        'InvalidArgument',
        'Keeper.keep: argument 2: expected a string of at most 10',
      ],
      [keeper.big(one, new Uint8Array(LIMITS.messageBytes)), 'LimitExceeded', 'too long'],
      [keeper.big(one, new Uint8Array(2 * LIMITS.messageBytes)), 'LimitExceeded', 'too long'],
      [keeper.keepAll(Array.from({ length: 65 }, () => one)), 'LimitExceeded', 'at most 64 capabilities'],
      [
        Reflect.apply(keeper.keep, keeper, [one, 'x', 'y']),
        'InvalidArgument',
        'Keeper.keep: arguments: expected at most 2',
      ],
      [
        Reflect.apply(keeper.keep, keeper, [one]),
        'InvalidArgument',
        'Keeper.keep: argument 2: expected a string',
      ],
    ];
    for (const [promise, failed, message] of wrong) {
      expect(await failureOf(promise)).toMatchObject({
        code: failed,
        message: expect.stringContaining(message),
      });
      expect(tables(pair)).toEqual(before);
    }
    await settled();
    expect(tables(pair)).toEqual(before);
    expect(pair.reports).toEqual([]);
  });

  test('of another version finds out, and keeps what it passed', async () => {
    const pair = pairOf(kind, Keeper, implementation);
    const keeper = capabilityFor(NewKeeper, pair.ends[0].import(0));
    const before = tables(pair);
    for (const [name, call_] of [
      ['keep', keeper.keep(thing(pair), 'words')],
      ['drop', keeper.drop(thing(pair))],
    ] as const) {
      const error = await failureOf(call_);
      expect(error.code).toBe('UnknownOperation');
      expect(error.message).toMatch(
        new RegExp(`^Keeper\\.${name}: Keeper has no operation of this name with these shapes`),
      );
    }
    await settled();
    expect(tables(pair)).toEqual(before);
  });

  test('of a revoked object keeps what it passed', async () => {
    const pair = pairOf(kind, Keeper, implementation);
    const keeper = capabilityFor(Keeper, pair.ends[0].import(0));
    const before = tables(pair);
    pair.server.revoke(implementation);
    const codes = await Promise.all([
      code(keeper.keep(thing(pair), 'words')),
      code(keeper.keepAll([thing(pair), thing(pair)])),
    ]);
    expect(codes).toEqual(['Revoked', 'Revoked']);
    await settled();
    expect(tables(pair)).toEqual(before);
  });

  test('within a component is told the same', async () => {
    const pair = pairOf(kind, Keeper, implementation);
    const local = pair.server.export(Keeper, implementation);
    const other = core.capabilityOf(NewKeeper, local);
    expect(await failureOf(other.drop(thing(pair)))).toMatchObject({
      code: 'UnknownOperation',
      message: expect.stringContaining('Keeper.drop: Keeper has no operation of this name'),
    });
    expect(await failureOf(local.keep(thing(pair), 'far too long a text'))).toMatchObject({
      code: 'InvalidArgument',
      message: 'Keeper.keep: argument 2: expected a string of at most 10 characters',
    });
  });
});
