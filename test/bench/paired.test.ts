/** The statistics behind `--against`: a verdict is worth no more than they are. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isSlower, medianInterval, pairedRatio } from './harness/paired.mjs';

describe('the interval of a median', () => {
  test('leaves out as many ratios at either end as 95 % allows', () => {
    const ratios = Array.from({ length: 9 }, (_, index) => index + 1);
    // The published table of the sign test: for nine values the second lowest and highest, at 96.1
    // %.
    expect(medianInterval(ratios)).toEqual({ median: 5, low: 2, high: 8, confidence: 1 - 20 / 512 });
    const twelve = Array.from({ length: 12 }, (_, index) => index + 1);
    // The same table: for twelve values the third lowest and highest, at 96.1 %.
    expect(medianInterval(twelve)).toMatchObject({ low: 3, high: 10 });
    expect(medianInterval(twelve).confidence).toBeCloseTo(0.9614, 4);
  });

  test('spans everything when there are too few ratios, and says how little that is worth', () => {
    expect(medianInterval([1, 3])).toEqual({ median: 2, low: 1, high: 3, confidence: 0.5 });
  });

  test('holds the true median at least as often as it claims', () => {
    let held = 0;
    const runs = 2000;
    let state = 12_345;
    const next = (): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
      return state / 0x8000_0000;
    };
    for (let run = 0; run < runs; run++) {
      const { low, high } = medianInterval(Array.from({ length: 9 }, next));
      if (low <= 0.5 && high >= 0.5) held++;
    }
    expect(held / runs).toBeGreaterThan(0.94);
  });

  test('contains its median, whatever the ratios', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0.1, max: 10, noNaN: true }), { minLength: 1 }), (ratios) => {
        const { median, low, high } = medianInterval(ratios);
        return low <= median && median <= high;
      }),
    );
  });
});

test('a ratio above 1 means that the new build is better, whatever the unit', () => {
  expect(pairedRatio('roundTripUs', 10, 20)).toBe(2);
  expect(pairedRatio('readyMs', 20, 10)).toBe(0.5);
  expect(pairedRatio('callsPerSecond', 20, 10)).toBe(2);
  expect(pairedRatio('gigabytesPerSecond64K', 20, 10)).toBe(2);
  expect(pairedRatio('submitsPerWakeUp', 20, 10)).toBeUndefined();
});

test('a build is slower only when its whole interval is', () => {
  expect(isSlower({ high: 0.98 })).toBe(false);
  expect(isSlower({ high: 0.96 })).toBe(true);
});
