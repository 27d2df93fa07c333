/** The allocator of pages against a plain array of booleans. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { PageAllocator } from '../src/page-allocator.ts';

const FIRST = 3;
const END = 40;

/** First run of `count` free pages in a model. */
function firstFit(used: readonly boolean[], count: number): number | undefined {
  for (let start = FIRST; start + count <= END; start++) {
    if (!used.slice(start, start + count).includes(true)) return start;
  }
  return undefined;
}

test('allocates first fit, coalesces, and counts', () => {
  const step = fc.record({ allocate: fc.boolean(), count: fc.integer({ min: 1, max: 12 }), pick: fc.nat() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const allocator = new PageAllocator(FIRST, END);
      const used = Array.from({ length: END }, () => false);
      const ranges: { start: number; count: number }[] = [];
      for (const { allocate, count, pick } of steps) {
        if (allocate) {
          const start = firstFit(used, count);
          expect(allocator.allocate(count)).toBe(start);
          if (start === undefined) continue;
          used.fill(true, start, start + count);
          ranges.push({ start, count });
        } else if (ranges.length > 0) {
          const [range] = ranges.splice(pick % ranges.length, 1);
          if (!range) continue;
          allocator.release(range.start, range.count);
          used.fill(false, range.start, range.start + range.count);
        }
        expect(allocator.freePages).toBe(used.slice(FIRST).filter((page) => !page).length);
        expect(allocator.unused).toBe(ranges.length === 0);
      }
    }),
  );
});

test('refuses to free what is free', () => {
  const allocator = new PageAllocator(0, 10);
  allocator.allocate(4);
  expect(() => allocator.release(2, 4)).toThrow('was in use');
  expect(() => allocator.release(8, 4)).toThrow('lies within');
  allocator.release(1, 2);
  expect(() => allocator.release(2, 1)).toThrow('was in use');
});
