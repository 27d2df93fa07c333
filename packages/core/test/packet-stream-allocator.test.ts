import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { BulkAllocator } from '../src/packet-stream/bulk-allocator.ts';

/** The plain truth: which unit of the buffer is used. */
class Model {
  readonly used: boolean[];
  readonly unit: number;
  readonly blocks = new Map<number, number>();

  constructor(bulkBytes: number, unit: number) {
    this.unit = unit;
    this.used = Array.from({ length: bulkBytes / unit }, () => false);
  }

  longestFreeBytes(): number {
    let longest = 0;
    let run = 0;
    for (const used of this.used) {
      run = used ? 0 : run + 1;
      longest = Math.max(longest, run);
    }
    return longest * this.unit;
  }

  allocate(offset: number, size: number): void {
    const units = Math.ceil(size / this.unit);
    const range = this.used.slice(offset / this.unit, offset / this.unit + units);
    expect(range).toEqual(Array.from({ length: units }, () => false));
    this.used.fill(true, offset / this.unit, offset / this.unit + units);
    this.blocks.set(offset, units);
  }

  free(offset: number): void {
    const units = this.blocks.get(offset) ?? 0;
    this.used.fill(false, offset / this.unit, offset / this.unit + units);
    this.blocks.delete(offset);
  }
}

const command = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('allocate' as const), size: fc.nat(5000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('allocate' as const), size: fc.nat(70_000) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('free' as const), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('garbage' as const), offset: fc.integer() }) },
);

test('allocates disjoint, aligned ranges whenever a free range is long enough', () => {
  const geometry = fc.constantFrom([0, 65536, 64], [6, 65536, 64], [9, 32768, 512], [3, 1000, 8] as const);
  fc.assert(
    fc.property(geometry, fc.array(command, { maxLength: 300 }), ([alignLog2, bulkBytes, unit], commands) => {
      const allocator = new BulkAllocator(bulkBytes ?? 0, alignLog2 ?? 0);
      const model = new Model(bulkBytes ?? 0, unit ?? 1);
      for (const step of commands) {
        if (step.do === 'allocate') {
          const size = step.size + 1;
          const offset = allocator.allocate(size);
          if (offset === -1) expect(model.longestFreeBytes()).toBeLessThan(size);
          else model.allocate(offset, size);
        } else if (step.do === 'free') {
          const offset = [...model.blocks.keys()][step.which % Math.max(1, model.blocks.size)];
          if (offset !== undefined) {
            expect(allocator.free(offset)).toBe(true);
            model.free(offset);
          }
        } else if (!model.blocks.has(step.offset)) {
          expect(allocator.free(step.offset)).toBe(false);
        }
        expect(allocator.usedBytes).toBe(model.used.filter(Boolean).length * model.unit);
      }
      for (const offset of model.blocks.keys()) expect(allocator.free(offset)).toBe(true);
      expect(allocator.usedBytes).toBe(0);
      expect(allocator.allocate(allocator.capacityBytes)).toBe(0);
    }),
    { numRuns: 300 },
  );
});

test('a range is freed once, by its start', () => {
  const allocator = new BulkAllocator(4096, 6);
  const offset = allocator.allocate(200);
  for (const wrong of [64, 128, 192, 256, -64, 4096, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(allocator.free(wrong)).toBe(false);
  }
  expect(allocator.free(offset)).toBe(true);
  expect(allocator.free(offset)).toBe(false);
  expect(allocator.allocate(4096)).toBe(0);
  expect(allocator.allocate(1)).toBe(-1);
});

test('its own tables stay small for a large buffer', () => {
  const allocator = new BulkAllocator(2 ** 30, 0);
  expect(allocator.capacityBytes).toBe(2 ** 30);
  expect(allocator.allocate(1)).toBe(0);
  expect(allocator.usedBytes).toBe(16384);
  expect(new BulkAllocator(0, 0).allocate(1)).toBe(-1);
  expect(new BulkAllocator(24, 3).allocate(24)).toBe(0);
});
