/**
 * Shapes against bytes of a hostile peer: what is read is a value that the shape itself accepts, or
 * refused with one of two errors. The message lies between bytes of somebody else's, which must
 * make no difference.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as core from '../src/index.ts';
import { LocalReference } from '../src/capability/reference.ts';
import { SignalContext } from '../src/capability/signal-context.ts';
import { malformed } from '../src/message/reader.ts';
import { type Case, comparable, readBack, sample, shapes, written } from './shapes-model.ts';

const anonymous = (shape: core.Shape<unknown>): Case => ({ name: '', shape, fits: fc.constant(undefined) });

/** The meanings of entries in a peer's table. */
const context = new SignalContext(
  () => {},
  () => {},
  () => {},
);
const carried = Array.from({ length: 64 }, (_, index) =>
  index % 2 === 0 ? new LocalReference(context) : core.Dataspace.ofContent(Uint8Array.of(index)),
);

/**
 * Reads `bytes` in the middle of others; what it is, or how it was refused. Any other error goes
 * on.
 */
function read(one: Case, bytes: Uint8Array, around: number): { value: unknown } | { refusal: string } {
  const whole = new Uint8Array(bytes.byteLength + 600).fill(around);
  whole.set(bytes, 300);
  try {
    return { value: readBack(one, whole, carried, 300, 300 + bytes.byteLength) };
  } catch (error) {
    if (error instanceof core.ShapeError) return { refusal: error.message };
    if (core.hasCode(error, 'InvalidArgument')) return { refusal: error.message };
    throw error;
  }
}

/**
 * Whatever the bytes are, the outcome is one of the two, and what stands around them plays no part.
 */
function holds(one: Case, bytes: Uint8Array): boolean {
  const before = bytes.slice();
  const outcome = read(one, bytes, 0);
  for (const around of [1, 0xff]) expect(comparable(read(one, bytes, around))).toEqual(comparable(outcome));
  expect(bytes).toEqual(before);
  if (!('value' in outcome)) return false;
  // A value that it accepts is accepted again, and its result can travel on.
  one.shape(outcome.value, 'it');
  written(one, outcome.value);
  return true;
}

interface Change {
  readonly how: 'set' | 'flip' | 'cut' | 'insert' | 'remove' | 'add';
  readonly at: number;
  readonly bytes: Uint8Array;
}

const someBytes = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 9 }),
  fc
    .constantFrom([0], [1], [2], [253], [254], [255], [253, 0xff, 0xff], [254, 0xff, 0xff, 0xff, 0xff])
    .map((values) => Uint8Array.from(values)),
  fc
    .constantFrom(Number.NaN, -0, Infinity, 2 ** 53, 0.5)
    .map((value) => new Uint8Array(Float64Array.of(value).buffer)),
);
const change: fc.Arbitrary<Change> = fc.record({
  how: fc.constantFrom('set', 'flip', 'flip', 'flip', 'cut', 'insert', 'remove', 'add'),
  at: fc.nat(1000),
  bytes: someBytes,
});

function changed(message: Uint8Array, { how, at, bytes }: Change): Uint8Array {
  const place = at % (message.byteLength + 1);
  const [head, tail] = [message.subarray(0, place), message.subarray(place)];
  if (how === 'cut') return head;
  if (how === 'flip') {
    const flipped = (message[place] ?? 0) ^ (1 << ((bytes[0] ?? 0) & 7));
    return Buffer.concat([head, tail.length > 0 ? Uint8Array.of(flipped) : tail, tail.subarray(1)]);
  }
  if (how === 'add') return Buffer.concat([message, bytes]);
  if (how === 'insert') return Buffer.concat([head, bytes, tail]);
  if (how === 'remove') return Buffer.concat([head, tail.subarray(1)]);
  return Buffer.concat([head, bytes, tail.subarray(bytes.byteLength)]);
}

/** A small value, so that changes hit what means something. */
const honest = shapes
  .chain((one) => one.fits.map((value) => sample(one, value)))
  .filter(({ one, value }) => written(one, value).bytes.byteLength < 400);

test('random bytes are refused or read as a value that fits', { timeout: 120_000 }, () => {
  let accepted = 0;
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.uint8Array({ maxLength: 3, max: 3 }),
    fc.array(someBytes, { maxLength: 6 }).map(Buffer.concat),
  );
  const property = fc.property(shapes, bytes, (one, message) => {
    if (holds(one, Uint8Array.from(message))) accepted++;
  });
  fc.assert(property, { numRuns: 1500 });
  // Some must pass, or the property says nothing of what is accepted.
  expect(accepted).toBeGreaterThan(10);
});

test('changed messages are refused or read as a value that fits', { timeout: 120_000 }, () => {
  let accepted = 0;
  let refused = 0;
  const property = fc.property(honest, fc.array(change, { minLength: 1, maxLength: 3 }), (given, changes) => {
    const message = changes.reduce(changed, written(given.one, given.value).bytes);
    if (holds(given.one, Uint8Array.from(message))) accepted++;
    else refused++;
  });
  fc.assert(property, { numRuns: 2000 });
  expect(Math.min(accepted, refused)).toBeGreaterThan(100);
});

test('messages that end early or late are refused', { timeout: 120_000 }, () => {
  const property = fc.property(
    honest,
    fc.nat(),
    fc.uint8Array({ minLength: 1, maxLength: 9 }),
    (given, at, more) => {
      const { bytes, carried: own } = written(given.one, given.value);
      const refused = (message: Uint8Array): void =>
        expect(() => readBack(given.one, message, own)).toThrow(/malformed|expected/);
      refused(Uint8Array.from(Buffer.concat([bytes, more])));
      if (bytes.byteLength > 0) refused(bytes.subarray(0, at % bytes.byteLength));
      if (own.length > 0) expect(() => readBack(given.one, bytes, own.slice(1))).toThrow();
    },
  );
  fc.assert(property, { numRuns: 1500 });
});

const f64 = (value: number): number[] => [...new Uint8Array(Float64Array.of(value).buffer)];
const { anyOf, boolean, bytes, finite, integer, list, nullable, oneOf, optional, record, table, text } = core;

describe('refused', () => {
  test.each<[string, core.Shape<unknown>, number[]]>([
    ['a boolean of 2', boolean, [2]],
    ['an absence of 2', optional(boolean), [2, 0]],
    ['an absence of 255', nullable(boolean), [255]],
    ['a word beyond the last', oneOf(['a', 'b']), [2]],
    ['the word 255', oneOf(['a', 'b']), [255]],
    ['a choice beyond the last', anyOf<unknown>('any', boolean, text()), [2, 0]],
    ['an integer below its range', integer(5, 100), [4]],
    ['an integer above its range', integer(5, 100), [101]],
    ['an integer of two bytes above its range', integer(0, 300), [0x2d, 0x01]],
    ['an integer of four bytes above its range', integer(0, 0x1_0000), [1, 0, 1, 0]],
    ['an integer that is cut off', integer(0, 0x1_0000), [1, 0, 1]],
    ['an integer that is none', integer(), f64(0.5)],
    ['an integer that is not safe', integer(), f64(2 ** 53)],
    ['a negative integer', integer(), f64(-1)],
    ['an integer that is not a number', integer(), f64(Number.NaN)],
    ['an integer without end', integer(), f64(Number.POSITIVE_INFINITY)],
    ['a number that is not one', finite, f64(Number.NaN)],
    ['a number without end', finite, f64(Number.NEGATIVE_INFINITY)],
    ['a number that is cut off', finite, f64(1).slice(1)],
    ['a text of a length that is no mark', text(), [255, 0]],
    ['a text that is too long', text(2), [3, 97, 97, 97]],
    ['a text that is cut off', text(), [3, 97, 97]],
    ['a text of 4 GiB', text(0xffff_ffff), [254, 0xff, 0xff, 0xff, 0xff, 97]],
    ['a text whose length is cut off', text(), [254, 1, 0, 0]],
    ['bytes that are too many', bytes(2), [3, 1, 1, 1]],
    ['bytes of 4 GiB', bytes(0xffff_ffff), [254, 0xff, 0xff, 0xff, 0xff, 1]],
    ['a list that is too long', list(boolean, 2), [3, 1, 1, 1]],
    ['a list of 4 billion', list(boolean, 0xffff_ffff), [254, 0xff, 0xff, 0xff, 0xff, 1, 1]],
    ['a list of 4 billion lists', list(list(boolean, 9), 0xffff_ffff), [254, 0xff, 0xff, 0xff, 0xff, 0]],
    ['a list of 4 billion signals', list(core.signal, 0xffff_ffff), [254, 0xff, 0xff, 0xff, 0xff]],
    ['a list counted by no mark', list(boolean, 9), [255, 1]],
    ['a table that is too long', table(boolean, 1), [2, 1, 97, 1, 1, 98, 1]],
    ['a table of 4 billion', table(core.nothing, 0xffff_ffff), [254, 0xff, 0xff, 0xff, 0xff, 0, 1]],
    ['a record that is cut off', record({ a: boolean, b: boolean }), [1]],
    ['a plain value where a check is all there is', (value) => value, [1, 0xc1]],
    ['a plain value that is cut off', (value) => value, [2, 0xc0]],
  ])('%s', (_, shape, message) => {
    expect(holds(anonymous(shape), Uint8Array.from(message))).toBe(false);
  });

  test("by a check of a component that throws any error: the error goes to the check's owner", () => {
    const fault = new TypeError('a mistake of the component');
    const shape = (): never => {
      throw fault;
    };
    expect(() => readBack(anonymous(list<unknown>(shape, 3)), Uint8Array.of(1, 1, 0xc0), [])).toThrow(fault);
    expect(() => malformed()).toThrow(core.RpcError);
  });
});

describe('accepted', () => {
  test.each<[string, core.Shape<unknown>, number[], unknown]>([
    ['bytes that are no UTF-8 are marked', text(), [4, 97, 0xff, 0xc3, 98], 'a\ufffd\ufffdb'],
    ['half of a pair is', text(), [3, 0xed, 0xa0, 0x80], '\ufffd\ufffd\ufffd'],
    ['a character that is too long is', text(), [2, 0xc0, 0x80], '\ufffd\ufffd'],
    ['a mark of byte order is kept', text(), [4, 0xef, 0xbb, 0xbf, 97], '\ufeffa'],
    ['a length in more bytes than needed', text(), [254, 1, 0, 0, 0, 97], 'a'],
    ['a negative zero', finite, f64(-0), -0],
    ['an empty list', list(boolean, 0), [0], []],
    ['names that come twice', table(boolean, 2), [2, 1, 97, 1, 1, 97, 0], { a: false }],
  ])('%s', (_, shape, message, value) => {
    expect(readBack(anonymous(shape), Uint8Array.from(message), [])).toStrictEqual(value);
    expect(holds(anonymous(shape), Uint8Array.from(message))).toBe(true);
  });

  test('a name like __proto__ is a name', () => {
    const message = [1, 9, ...new TextEncoder().encode('__proto__'), 1];
    const value = readBack(anonymous(table(boolean, 2)), Uint8Array.from(message), []);
    expect(Object.entries(value ?? {})).toEqual([['__proto__', true]]);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  });

  test('bytes are a copy: the carrier uses its memory again', () => {
    const message = Uint8Array.of(2, 7, 8);
    const value = readBack(anonymous(bytes(9)), message, []);
    message.fill(0);
    expect(value).toEqual(Uint8Array.of(7, 8));
  });
});
