import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { allClear, allSet, clearBits, nextClear, nextSet, setBits } from '../src/ext/bitmap.ts';

test('bitmaps behave as arrays of booleans do', () => {
  const step = fc.record({ from: fc.nat(255), count: fc.integer({ min: 1, max: 100 }), on: fc.boolean() });
  const property = fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
    const bytes = new Uint8Array(32);
    const view = new DataView(bytes.buffer);
    const model: boolean[] = Array.from({ length: 256 }, () => false);
    for (const { from, count, on } of steps) {
      const length = Math.min(count, 256 - from);
      (on ? setBits : clearBits)(bytes, from, length);
      model.fill(on, from, from + length);
      const limit = Math.min(256, from + count);
      for (const start of [0, from, limit]) {
        for (const end of [limit, 256]) {
          const next = (wanted: boolean): number => {
            const found = model.indexOf(wanted, start);
            return found < 0 || found > end ? Math.max(start, end) : found;
          };
          if (start > end) continue;
          expect(nextClear(view, start, end)).toBe(next(false));
          expect(nextSet(view, start, end)).toBe(next(true));
        }
      }
      expect(allSet(view, from, length)).toBe(model.slice(from, from + length).every(Boolean));
      expect(allClear(view, from, length)).toBe(!model.slice(from, from + length).some(Boolean));
    }
  });
  fc.assert(property, { numRuns: 300 });
});
