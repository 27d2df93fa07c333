/** Payloads of a hostile peer: what the decoder must not see, and what must get through. */
import { describe, expect, test } from 'vitest';
import { FrameKind } from '../src/channel/frame.ts';
import { decodeMessage } from '../src/channel/message.ts';
import { NOTHING_CARRIED } from '../src/channel/message-tables.ts';
import { isMessage } from '../src/channel/message-scan.ts';
import { LIMITS } from '../src/limits.ts';
import { bytes, call, code, failures, holds } from './channel-hostile-checks.ts';
import { attack, payloadOf } from './channel-raw-peer.ts';

describe('payloads', () => {
  const nested = (depth: number): Uint8Array => {
    const payload = new Uint8Array(depth + 1).fill(0x91);
    payload[depth] = 0xc0;
    return payload;
  };
  const deep = nested(1_000_000);
  const inEcho = (value: Uint8Array): Uint8Array => Uint8Array.from([0x92, ...payloadOf('any'), ...value]);
  const wrong: [string, Uint8Array][] = [
    ['nothing', bytes()],
    ['a nesting bomb', deep],
    ['just too deep', inEcho(nested(LIMITS.messageDepth))],
    ['a list longer than the message', inEcho(bytes(0xdd, 0xff, 0xff, 0xff, 0xff))],
    ['a list of 32 million', inEcho(bytes(0xdd, 0x01, 0xff, 0xff, 0xff, 1, 2, 3))],
    ['a table longer than the message', inEcho(bytes(0xdf, 0x7f, 0xff, 0xff, 0xff, 0xa1, 0x61))],
    ['a string longer than the message', inEcho(bytes(0xdb, 0xff, 0xff, 0xff, 0xff, 0x61))],
    ['bytes longer than the message', inEcho(bytes(0xc6, 0xff, 0xff, 0xff, 0xff, 0x61))],
    ['a number that is cut off', inEcho(bytes(0xcb, 1, 2, 3))],
    ['a second value', Uint8Array.from([...payloadOf(['echo', 'x']), 0xc0])],
    ['the byte that means nothing', inEcho(bytes(0xc1))],
    ['a record definition', inEcho(bytes(0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 1))],
    ['a record definition of two bytes', inEcho(bytes(0xd5, 0x72, 0x40, 0x00, 0x91, 0xa1, 0x61, 1))],
    ['an error', inEcho(bytes(0xd4, 0x65, 0, 0x92, 0xa4, 0x65, 0x76, 0x61, 0x6c, 0xa1, 0x31))],
    ['a reference to itself', inEcho(bytes(0xd6, 0x69, 0, 0, 0, 1, 0x91, 0xd6, 0x70, 0, 0, 0, 1))],
    ['a set', inEcho(bytes(0xd4, 0x73, 0, 0x91, 1))],
    ['a regular expression', inEcho(bytes(0xd4, 0x78, 0, 0x92, 0xa3, 0x61, 0x2b, 0x2b, 0xa1, 0x67))],
    ['typed memory', inEcho(bytes(0xc7, 2, 0x74, 1, 1))],
    ['bundled strings', inEcho(bytes(0xd6, 0x62, 0, 0, 0, 1, 0xc1, 1))],
    ['an extension nobody knows', inEcho(bytes(0xd4, 0x30, 0))],
    ['a capability of the wrong form', inEcho(bytes(0xc7, 1, 0x20, 0))],
    ['a table with a list as a name', inEcho(bytes(0x81, 0x91, 1, 1))],
  ];
  test.each(wrong)('%s is answered with InvalidArgument', async (_, payload) => {
    const scene = attack();
    scene.peer.frame(FrameKind.call, { first: 1 }, payload);
    expect(failures(scene)).toEqual(['InvalidArgument']);
    const answered = scene.remote.poke();
    scene.peer.frame(
      FrameKind.result,
      { first: scene.peer.received(FrameKind.call)[0]?.first ?? 0 },
      payload,
    );
    expect(await code(answered)).toBe('InvalidArgument');
    await holds(scene, 'open');
  });

  test('no deeper than allowed, and plain data of every kind, gets through', async () => {
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
      const payload = payloadOf(value);
      expect(isMessage(payload), String(value).slice(0, 40)).toBe(true);
      expect(decodeMessage(payload, NOTHING_CARRIED)).toEqual(value);
      // Every cut is noticed.
      for (const length of [0, 1, 2, 3, payload.length >> 1, payload.length - 1]) {
        if (length < payload.length) expect(isMessage(payload.subarray(0, length))).toBe(false);
      }
    }
    expect(isMessage(nested(LIMITS.messageDepth))).toBe(true);
    expect(isMessage(nested(LIMITS.messageDepth + 1))).toBe(false);
  });

  test('a name like __proto__ changes nothing', async () => {
    const scene = attack();
    const proto = bytes(0x81, 0xa9, ...new TextEncoder().encode('__proto__'), 0x81, 0xa1, 0x61, 1);
    scene.peer.frame(FrameKind.call, { first: 1 }, inEcho(proto));
    for (const name of ['constructor', '__proto__', 'toString', '$open', 'then', 'hasOwnProperty']) {
      call(scene, 2, name);
    }
    expect(failures(scene)).toEqual(Array.from({ length: 6 }, () => 'UnknownOperation'));
    expect(Reflect.get({}, 'a')).toBeUndefined();
    await holds(scene, 'open');
  });

  test('arguments of other shapes are refused', async () => {
    const scene = attack();
    for (const args of [[], [1], ['x'.repeat(101)], [['x']], ['x', 'y'], [null]])
      call(scene, 1, 'echo', ...args);
    call(scene, 1, 'sum', [1, 2, 'x']);
    call(scene, 1, 'keep', { a: 1 });
    expect(failures(scene)).toEqual(Array.from({ length: 8 }, () => 'InvalidArgument'));
    await holds(scene, 'open');
  });
});
