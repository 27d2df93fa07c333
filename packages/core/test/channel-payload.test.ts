/** Plain values of a hostile peer: what the decoder must not see, and what must get through. */
import { describe, expect, test } from 'vitest';
import { Dataspace, RpcError } from '../src/index.ts';
import { FrameKind } from '../src/channel/frame.ts';
import { LIMITS } from '../src/limits.ts';
import { MessageReader } from '../src/message/reader.ts';
import { readValue } from '../src/message/value.ts';
import { isPlainValue } from '../src/message/value-scan.ts';
import { capabilityFor } from '../src/capability/capability.ts';
import { plansOf } from '../src/interface/operation.ts';
import {
  bytes,
  call,
  callRaw,
  code,
  failures,
  failureTexts,
  holds,
  latestCall,
} from './channel-hostile-checks.ts';
import { attack, payloadOf, plain, type Scene, settled, Target, Thing } from './channel-raw-peer.ts';

/** The value alone, without its length. */
function packed(value: unknown): Uint8Array {
  const reader = new MessageReader();
  const written = plain(value);
  reader.begin(written, 0, written.byteLength);
  return reader.blob();
}

/** A value as a peer claims to have written it. */
const claimed = (value: Uint8Array): Uint8Array => payloadOf((writer) => writer.blob(value));

/** One argument of an operation without shapes. */
const argument = (value: Uint8Array): Uint8Array => Uint8Array.from([1, ...claimed(value)]);

describe('payloads', () => {
  const nested = (depth: number): Uint8Array => {
    const payload = new Uint8Array(depth + 1).fill(0x91);
    payload[depth] = 0xc0;
    return payload;
  };
  const deep = nested(1_000_000);
  const wrong: [string, Uint8Array][] = [
    ['nothing', bytes()],
    ['a nesting bomb', deep],
    ['just too deep', nested(LIMITS.messageDepth + 1)],
    ['a list longer than the message', bytes(0xdd, 0xff, 0xff, 0xff, 0xff)],
    ['a list of 32 million', bytes(0xdd, 0x01, 0xff, 0xff, 0xff, 1, 2, 3)],
    ['a table longer than the message', bytes(0xdf, 0x7f, 0xff, 0xff, 0xff, 0xa1, 0x61)],
    ['a string longer than the message', bytes(0xdb, 0xff, 0xff, 0xff, 0xff, 0x61)],
    ['bytes longer than the message', bytes(0xc6, 0xff, 0xff, 0xff, 0xff, 0x61)],
    ['a number that is cut off', bytes(0xcb, 1, 2, 3)],
    ['a second value', Uint8Array.from([...packed(['x']), 0xc0])],
    ['the byte that means nothing', bytes(0xc1)],
    ['a record definition', bytes(0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 1)],
    ['a record definition of two bytes', bytes(0xd5, 0x72, 0x40, 0x00, 0x91, 0xa1, 0x61, 1)],
    ['an error', bytes(0xd4, 0x65, 0, 0x92, 0xa4, 0x65, 0x76, 0x61, 0x6c, 0xa1, 0x31)],
    ['a reference to itself', bytes(0xd6, 0x69, 0, 0, 0, 1, 0x91, 0xd6, 0x70, 0, 0, 0, 1)],
    ['a set', bytes(0xd4, 0x73, 0, 0x91, 1)],
    ['a regular expression', bytes(0xd4, 0x78, 0, 0x92, 0xa3, 0x61, 0x2b, 0x2b, 0xa1, 0x67)],
    ['typed memory', bytes(0xc7, 2, 0x74, 1, 1)],
    ['bundled strings', bytes(0xd6, 0x62, 0, 0, 0, 1, 0xc1, 1)],
    ['an extension nobody knows', bytes(0xd4, 0x30, 0)],
    ['what is never written, of one byte', bytes(0xd4, 0x20, 0)],
    ['what is never written, of a length', bytes(0xc7, 1, 0x20, 0)],
    ['a table with a list as a name', bytes(0x81, 0x91, 1, 1)],
  ];
  const asked = (scene: Scene): Promise<unknown> => capabilityFor(Target, scene.channel.import(0)).any(1);
  test.each(wrong)('%s is answered with InvalidArgument', async (_, value) => {
    const scene = attack();
    callRaw(scene, 1, 'any', argument(value));
    expect(failures(scene)).toEqual(['InvalidArgument']);
    const answered = asked(scene);
    scene.peer.frame(FrameKind.result, { first: latestCall(scene) }, claimed(value));
    expect(await code(answered)).toBe('InvalidArgument');
    await holds(scene, 'open');
  });

  test.each<[string, Uint8Array]>([
    ['that are none', bytes()],
    ['of which one is missing', bytes(1)],
    ['of which one is cut off', argument(packed('words')).subarray(0, 4)],
    ['with more behind them', Uint8Array.from([...argument(packed(1)), 0])],
    ['more than allowed', Uint8Array.from([33, ...Array.from({ length: 33 }, () => [1, 0xc0]).flat()])],
    ['as many as four bytes count', bytes(254, 0xff, 0xff, 0xff, 0xff, 1, 0xc0)],
    ['counted by a mark that is none', bytes(255, 1, 0xc0)],
    ['of a length beyond the message', bytes(1, 254, 0xff, 0xff, 0xff, 0x7f, 0xc0)],
    ['of no length', bytes(1, 0)],
  ])('arguments %s are answered with InvalidArgument', async (_, payload) => {
    const scene = attack();
    callRaw(scene, 1, 'any', payload);
    expect(failures(scene)).toEqual(['InvalidArgument']);
    await holds(scene, 'open');
  });

  test('plain data of every kind gets through, if it is no deeper than allowed', async () => {
    const values = [
      null,
      undefined,
      true,
      -1,
      -33,
      -129,
      -40_000,
      255,
      65_536,
      2 ** 40,
      -(2 ** 40),
      0.1,
      5n,
      2n ** 63n,
      'short',
      'x'.repeat(40),
      'é'.repeat(300),
      '€'.repeat(70_000),
      new Uint8Array(3),
      new Uint8Array(300),
      new Uint8Array(70_000),
      Array.from({ length: 20 }, (_, index) => index),
      Array.from({ length: 70_000 }, (_, index) => index),
      Object.fromEntries(Array.from({ length: 3000 }, (_, index) => [`key${index}`, index])),
      new Date(1000),
      new Date(1001),
      new Date(2 ** 43),
    ];
    for (const value of values) {
      const payload = packed(value);
      expect(isPlainValue(payload), String(value).slice(0, 40)).toBe(true);
      const reader = new MessageReader();
      const written = claimed(payload);
      reader.begin(written, 0, written.byteLength);
      expect(readValue(reader)).toEqual(value);
      expect(reader.left).toBe(0);
      // Every cut is noticed.
      for (const length of [0, 1, 2, 3, payload.length >> 1, payload.length - 1]) {
        if (length < payload.length) expect(isPlainValue(payload.subarray(0, length))).toBe(false);
      }
    }
    expect(isPlainValue(nested(LIMITS.messageDepth))).toBe(true);
    expect(isPlainValue(nested(LIMITS.messageDepth + 1))).toBe(false);
  });

  test('a name like __proto__ changes nothing', async () => {
    const scene = attack();
    const proto = bytes(0x81, 0xa9, ...new TextEncoder().encode('__proto__'), 0x81, 0xa1, 0x61, 1);
    callRaw(scene, 1, 'any', argument(proto));
    expect(scene.peer.received(FrameKind.result)).toHaveLength(1);
    expect(failures(scene)).toEqual([]);
    expect(Reflect.get({}, 'a')).toBeUndefined();
    await holds(scene, 'open');
  });

  test('a key of no operation of the interface is answered with UnknownOperation', async () => {
    const scene = attack();
    const poke = plansOf(Thing).byName.get('poke')?.key ?? 0;
    scene.target.open = undefined;
    const keys = [0, 1, 0xffff_ffff, poke];
    for (const third of keys) scene.peer.frame(FrameKind.call, { first: 1, third });
    callRaw(scene, 1, '$open');
    expect(failures(scene)).toEqual(Array.from({ length: 5 }, () => 'UnknownOperation'));
    for (const name of ['constructor', '__proto__', 'toString', '$open', 'then', 'hasOwnProperty']) {
      expect(plansOf(Target).byName.has(name)).toBe(false);
    }
    await holds(scene, 'open');
  });

  test('arguments of other shapes are refused', async () => {
    const scene = attack();
    const misfits: [string, Uint8Array][] = [
      ['echo', bytes()],
      ['echo', bytes(0xff)],
      ['echo', payloadOf((writer) => writer.text('x'.repeat(101)))],
      ['echo', bytes(2, 0x78)],
      ['echo', bytes(1, 0x78, 1, 0x79)],
      ['echo', plain('x'.repeat(200))],
      ['sum', bytes(3, ...new Uint8Array(16))],
      ['sum', bytes(1, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f)],
      ['sum', bytes(101, ...new Uint8Array(808))],
      ['keep', bytes()],
      ['wake', plain({ a: 1 })],
      ['rom', bytes()],
      ['later', bytes(0)],
    ];
    for (const [name, payload] of misfits) callRaw(scene, 1, name, payload);
    expect(failures(scene)).toEqual(misfits.map(() => 'InvalidArgument'));
    for (const [, text] of failureTexts(scene)) expect(text).toMatch(/malformed|expected/);
    call(scene, 2, 'echo', 'x'.repeat(100));
    expect(scene.peer.received(FrameKind.result)).toHaveLength(1);
    await holds(scene, 'open');
  });

  test('a capability, dataspace or stream inside a plain value is refused at the caller, and nothing is passed', async () => {
    const scene = attack();
    const target = capabilityFor(Target, scene.channel.import(0));
    const thing = scene.victim.export(Thing, { poke: () => 1 });
    const refused: [string, unknown][] = [
      ['a capability', thing],
      ['a capability', [{ deep: [scene.remote] }]],
      ['a signal', { signal: scene.victim.signal(() => {}) }],
      ['a dataspace', [Dataspace.ofContent(bytes(1))]],
    ];
    for (const [what, value] of refused) {
      const error: unknown = await target.any(value).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(RpcError);
      expect(error).toMatchObject({ code: 'InvalidArgument', message: expect.stringContaining(what) });
    }
    expect(await code(target.any(2n ** 80n))).toBe('InvalidArgument');
    expect(scene.peer.received(FrameKind.call)).toEqual([]);
    expect([scene.channel.pendingCalls, scene.channel.exports.size]).toEqual([0, 1]);
    // The next value is not harmed by those.
    const answered = target.any({ fine: true });
    await settled();
    scene.peer.frame(FrameKind.result, { first: latestCall(scene) }, plain(['so it is']));
    expect(await answered).toEqual(['so it is']);
    await holds(scene, 'open');
  });
});
