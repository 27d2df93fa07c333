import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { copyApart, copyInto } from '../src/memory/copy-into.ts';

const MEMORY_BYTES = 20_000;

function pattern(memory: ArrayBufferLike, seed: number): Uint8Array {
  const bytes = new Uint8Array(memory);
  for (let index = 0; index < bytes.length; index++)
    bytes[index] = (index * 31 + (index >>> 8) + seed) & 0xff;
  return bytes;
}

const memory = (shared: boolean): ArrayBufferLike =>
  shared ? new SharedArrayBuffer(MEMORY_BYTES) : new ArrayBuffer(MEMORY_BYTES);

const sizes = fc.oneof(
  fc.integer({ min: 0, max: 64 }),
  fc.integer({ min: 2040, max: 2056 }),
  fc.integer({ min: 0, max: 9000 }),
);
const starts = fc.integer({ min: 0, max: MEMORY_BYTES - 10_000 });

describe.each([
  ['plain', 'plain', false, false],
  ['plain', 'shared', false, true],
  ['shared', 'plain', true, false],
  ['shared', 'shared', true, true],
])('copies from %s to %s memory', (_from, _to, fromShared, toShared) => {
  test('as set does, and touches nothing else', () => {
    fc.assert(
      fc.property(sizes, starts, starts, fc.integer({ min: 0, max: 1000 }), (size, from, to, at) => {
        const source = pattern(memory(fromShared), 1).subarray(from, from + size);
        const expected = pattern(new ArrayBuffer(MEMORY_BYTES), 2);
        expected.subarray(to).set(source, at);
        for (const copy of [copyInto, copyApart]) {
          const target = pattern(memory(toShared), 2);
          copy(target.subarray(to), source, at);
          expect(Buffer.compare(target, expected)).toBe(0);
        }
      }),
    );
  });

  test('refuses what does not fit, and copies nothing', () => {
    const source = pattern(memory(fromShared), 1).subarray(0, 8192);
    const target = pattern(memory(toShared), 2);
    for (const at of [MEMORY_BYTES - 8191, -1, Number.POSITIVE_INFINITY]) {
      expect(() => copyInto(target, source, at)).toThrow(RangeError);
      expect(() => copyApart(target, source, at)).toThrow(RangeError);
    }
    expect(() => copyApart(target.subarray(0, 8192), source, -1)).toThrow(RangeError);
    expect(() => copyApart(target.subarray(0, 8192), source, 1)).toThrow(RangeError);
    expect(Buffer.compare(target, pattern(new ArrayBuffer(MEMORY_BYTES), 2))).toBe(0);
  });
});

test.each([false, true])('ranges of one buffer may overlap (shared: %s)', (shared) => {
  fc.assert(
    fc.property(sizes, starts, starts, (size, from, to) => {
      const bytes = pattern(memory(shared), 3);
      const expected = pattern(new ArrayBuffer(MEMORY_BYTES), 3);
      copyInto(bytes.subarray(to), bytes.subarray(from, from + size));
      expected.copyWithin(to, from, from + size);
      expect(Buffer.compare(bytes, expected)).toBe(0);
    }),
  );
});
