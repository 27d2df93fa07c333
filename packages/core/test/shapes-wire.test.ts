/**
 * Shapes write and read values: values come back as they were, and one that does not fit is not
 * written.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as core from '../src/index.ts';
import { LIMITS } from '../src/limits.ts';
import { plansOf } from '../src/interface/operation.ts';
import { wireOf } from '../src/interface/shape.ts';
import { type Case, comparable, readBack, sample, shapes, written } from './shapes-model.ts';

const caseOf = (shape: core.Shape<unknown>): Case => ({ name: '', shape, fits: fc.constant(undefined) });
const again = (shape: core.Shape<unknown>, value: unknown): unknown => {
  const { bytes, carried } = written(caseOf(shape), value);
  return readBack(caseOf(shape), bytes, carried);
};

/** The outcome of a call: its result, or the way it refuses. */
function outcome(use: () => unknown): { value: unknown } | { refusal: string } {
  try {
    return { value: use() };
  } catch (error) {
    if (error instanceof core.ShapeError) return { refusal: error.message };
    throw error;
  }
}

const fitting = shapes.chain((one) => one.fits.map((value) => sample(one, value)));
const anything = shapes.chain((one) =>
  fc
    .oneof(
      one.fits,
      shapes.chain((other) => other.fits),
      fc.anything({ withTypedArray: true, withDate: true, withSparseArray: true, withNullPrototype: true }),
    )
    .map((value) => sample(one, value)),
);

test('a value that fits arrives as the check returns it', { timeout: 120_000 }, () => {
  const property = fc.property(fitting, ({ one, value }) => {
    const { bytes, carried } = written(one, value);
    expect(comparable(readBack(one, bytes, carried))).toEqual(comparable(one.shape(value, 'it')));
  });
  fc.assert(property, { numRuns: 5000 });
});

test('a value is refused by the writer exactly if the check refuses it, with the same words', {
  timeout: 120_000,
}, () => {
  let refused = 0;
  let passed = 0;
  const property = fc.property(anything, ({ one, value }) => {
    const checked = outcome(() => one.shape(value, 'it'));
    const sent = outcome(() => written(one, value));
    if ('refusal' in checked) {
      refused++;
      expect(sent).toEqual(checked);
    } else {
      passed++;
      const { bytes, carried } = written(one, value);
      expect(comparable(readBack(one, bytes, carried))).toEqual(comparable(checked.value));
    }
  });
  fc.assert(property, { numRuns: 5000 });
  expect(Math.min(refused, passed)).toBeGreaterThan(500);
});

describe('texts', () => {
  test.each([
    '',
    '\ufeff',
    '\ufeffwith a mark of byte order',
    '\ufeff'.repeat(40),
    `\ufeff${'x'.repeat(100)}`,
    '\0',
    '\x7f\x80',
    'é',
    '€'.repeat(21),
    '😀'.repeat(300),
    'x'.repeat(64),
    'x'.repeat(65),
    'x'.repeat(252),
    'x'.repeat(253),
    'x'.repeat(70_000),
  ])('%j comes back', (value) => {
    for (let time = 0; time < 3; time++) expect(again(core.text(100_000), value)).toBe(value);
  });

  test('half a surrogate pair arrives as the replacement character', () => {
    expect(again(core.text(), 'a\ud800b')).toBe('a\ufffdb');
    expect(again(core.text(), '\udc00'.repeat(70))).toBe('\ufffd'.repeat(70));
  });

  test('texts that share a place in the cache of short texts are not mixed up', () => {
    const values = Array.from({ length: 5000 }, (_, index) => `name ${index}`);
    for (const value of [...values, ...values.toReversed()]) expect(again(core.text(), value)).toBe(value);
  });

  test('as long as a message may be, and no longer', () => {
    const long = 'x'.repeat(LIMITS.messageBytes - 100);
    expect(again(core.text(Number.MAX_SAFE_INTEGER), long) === long).toBe(true);
    const letters = '€'.repeat(5_000_000);
    expect(again(core.text(Number.MAX_SAFE_INTEGER), letters) === letters).toBe(true);
    for (const value of ['x'.repeat(LIMITS.frameBytes), '€'.repeat(6_000_000)]) {
      expect(() => again(core.text(Number.MAX_SAFE_INTEGER), value)).toThrow('too long');
    }
    expect(again(core.text(), 'the next one')).toBe('the next one');
  });
});

describe('declarations', () => {
  const words = Array.from({ length: 256 }, (_, index) => `word ${index}`);

  test('take up to 255 words or shapes', () => {
    const most = words.slice(0, 255);
    for (const word of most) expect(again(core.oneOf(most), word)).toBe(word);
    expect(() => core.oneOf(words)).toThrow('255');
    expect(() => core.anyOf<unknown>('any', ...words.map((word) => core.oneOf([word])))).toThrow('255');
  });

  test('refuse lists of values that take no bytes', () => {
    const { list, nothing, record, table, optional } = core;
    for (const item of [nothing, record({}), record({ a: nothing, b: record({}) })]) {
      expect(() => list<unknown>(item, 1000)).toThrow('no list of what takes no bytes');
    }
    expect(again(list<unknown>(optional(nothing), 3), [1, undefined])).toEqual([undefined, undefined]);
    expect(again(table(nothing, 3), { a: 1 })).toEqual({ a: undefined });
  });

  test('shapes whose bytes differ have signatures that differ', () => {
    const { anyOf, bytes, integer, list, nothing, nullable, oneOf, optional, record, table, text } = core;
    const Thing = core.rpcInterface('Thing', {});
    const Other = core.rpcInterface('Other', {});
    const different: core.Shape<unknown>[] = [
      integer(),
      integer(0, 255),
      integer(0, 256),
      integer(1, 255),
      core.finite,
      core.boolean,
      text(10),
      text(11),
      bytes(10),
      nothing,
      oneOf(['a', 'b']),
      oneOf(['b', 'a']),
      oneOf(['a|b']),
      list(text(10), 5),
      list(text(10), 6),
      optional(text(10)),
      nullable(text(10)),
      table(text(10), 5),
      table(text(10), 6),
      record({ a: text(10) }),
      record({ b: text(10) }),
      record({ a: text(10), b: text(10) }),
      record({ b: text(10), a: text(10) }),
      record({ 'a:text 10,b': text(10) }),
      anyOf('any', text(10), text(11)),
      anyOf<unknown>('any', anyOf('any', text(10), text(11)), text(12)),
      anyOf('any', text(10), text(11), text(12)),
      anyOf<unknown>('any', text(10), anyOf('any', text(11), text(12))),
      core.capability(Thing),
      core.capability(Other),
      core.signal,
      core.dataspace,
      (value) => value,
    ];
    const signatures = different.map((shape) => wireOf(shape).signature);
    expect(new Set(signatures).size).toBe(different.length);
  });

  test('operations that differ in a name or a shape have keys that differ', () => {
    const { integer, nothing, rpc, text } = core;
    const operations = [
      rpc<(value: string) => void>({ args: [text(10)], result: nothing }),
      rpc<(value: string) => void>({ args: [text(11)], result: nothing }),
      rpc<(value: string) => string>({ args: [text(10)], result: text(10) }),
      rpc<(value: number) => void>({ args: [integer()], result: nothing }),
      rpc<(one: string, two: string) => void>({ args: [text(10), text(10)], result: nothing }),
      rpc<() => void>({ args: [], result: nothing }),
      rpc<(value: unknown) => void>({ args: [(value) => value], result: nothing }),
      rpc<() => void>(),
    ];
    const keys = operations.flatMap((operation) => {
      const { byKey } = plansOf(core.rpcInterface('Some', { first: operation, second: operation }));
      return [...byKey.keys()];
    });
    expect(new Set(keys).size).toBe(2 * operations.length);
  });
});
