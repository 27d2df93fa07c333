/**
 * Affinities and priorities as arguments of a CPU session: their form, how parents narrow them,
 * which CPUs they mean.
 */
import {
  type CpuAffinity,
  cpusOf,
  narrowScheduling,
  PRIORITY_LIMIT,
  schedulingOf,
  withScheduling,
} from '@ginit/core/system';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

const part = (
  xpos: number,
  ypos: number,
  width: number,
  height: number,
  of: [number, number],
): CpuAffinity => ({
  xpos,
  ypos,
  width,
  height,
  spaceWidth: of[0],
  spaceHeight: of[1],
});

/** Any part of any grid of at most so many columns and rows. */
const anyPart = (limit: number): fc.Arbitrary<CpuAffinity> =>
  fc
    .record({
      spaceWidth: fc.integer({ min: 1, max: limit }),
      spaceHeight: fc.integer({ min: 1, max: limit }),
    })
    .chain(({ spaceWidth, spaceHeight }) =>
      fc.record({ xpos: fc.nat(spaceWidth - 1), ypos: fc.nat(spaceHeight - 1) }).chain(({ xpos, ypos }) =>
        fc.record({
          xpos: fc.constant(xpos),
          ypos: fc.constant(ypos),
          width: fc.integer({ min: 1, max: spaceWidth - xpos }),
          height: fc.integer({ min: 1, max: spaceHeight - ypos }),
          spaceWidth: fc.constant(spaceWidth),
          spaceHeight: fc.constant(spaceHeight),
        }),
      ),
    );

describe('arguments of a session', () => {
  test('come back as they were', () => {
    const priorities = fc.nat(PRIORITY_LIMIT - 1);
    const affinities = fc.array(anyPart(4096), { maxLength: 16 });
    fc.assert(
      fc.property(affinities, priorities, (affinity, priority) => {
        const args = withScheduling(
          { other: 'stays', affinity: 'goes', priority: 'goes' },
          { affinity, priority },
        );
        expect(args['other']).toBe('stays');
        expect(schedulingOf(args)).toEqual({ affinity, priority });
      }),
    );
  });

  test('mean any CPU and the most urgent priority if they are missing', () => {
    expect(schedulingOf({})).toEqual({ affinity: [], priority: 0 });
  });

  test.each([
    { affinity: '' },
    { affinity: 4 },
    { affinity: '0 0 1 1' },
    { affinity: '0 0 2 1 of 1 1' },
    { affinity: '0 1 1 1 of 1 1' },
    { affinity: '0 0 0 1 of 1 1' },
    { affinity: '0 0 1 1 of 4097 1' },
    { affinity: '0 0 1 1 of 2 1,' },
    { affinity: Array(17).fill('0 0 1 1 of 2 1').join(',') },
    { affinity: '-1 0 1 1 of 1 1' },
    { priority: -1 },
    { priority: PRIORITY_LIMIT },
    { priority: 0.5 },
    { priority: 'high' },
  ])('%j is denied', (args) => {
    expect(() => schedulingOf(args)).toThrow(expect.objectContaining({ code: 'DENIED' }));
  });
});

describe('what a child asks for', () => {
  const anywhere = { affinity: [], priority: 0 };
  const right = { affinity: [part(1, 0, 1, 1, [2, 1])], priority: 0 };
  const left = { affinity: [part(0, 0, 1, 1, [2, 1])], priority: 0 };

  test('is a part of what it was given', () => {
    expect(cpusOf(narrowScheduling(right, 1, left).affinity, [0, 1, 2, 3])).toEqual([2]);
    expect(narrowScheduling(anywhere, 1, left)).toEqual(left);
    expect(narrowScheduling(right, 1, anywhere)).toEqual(right);
  });

  test('leads to some CPU, and to none that its parent has not got', () => {
    const cpus = Array.from({ length: 16 }, (_, cpu) => cpu);
    fc.assert(
      fc.property(anyPart(64), anyPart(64), (outer, inner) => {
        const given = { affinity: [outer], priority: 0 };
        const { affinity } = narrowScheduling(given, 1, { affinity: [inner], priority: 0 });
        const mine = cpusOf(affinity, cpus);
        const parents = new Set(cpusOf(given.affinity, cpus));
        expect(mine.length).toBeGreaterThan(0);
        expect(mine.filter((cpu) => !parents.has(cpu))).toEqual([]);
      }),
    );
  });

  test('gets a part of the priority level that its parent was given', () => {
    const levels = 4;
    const [second, third] = [1, 2].map((level) => (level * PRIORITY_LIMIT) / levels);
    const least = { affinity: [], priority: PRIORITY_LIMIT - 1 };
    const { priority } = narrowScheduling({ affinity: [], priority: second ?? 0 }, levels, least);
    expect(priority).toBeGreaterThan(second ?? 0);
    expect(priority).toBeLessThan(third ?? 0);
  });

  test('is denied if it is nested too deep', () => {
    const deep = { affinity: Array<CpuAffinity>(9).fill(part(0, 0, 1, 1, [2, 1])), priority: 0 };
    expect(() => narrowScheduling(deep, 1, deep)).toThrow(expect.objectContaining({ code: 'DENIED' }));
  });
});

describe('the CPUs of a part', () => {
  test.each([
    [part(0, 0, 1, 1, [4, 1]), [10]],
    [part(1, 0, 2, 1, [4, 1]), [11, 12]],
    [part(0, 0, 1, 1, [2, 1]), [10, 11]],
    [part(1, 0, 1, 1, [8, 1]), [10]],
    [part(1, 0, 1, 1, [3, 1]), [11, 12]],
    [part(0, 0, 2, 1, [2, 2]), [10, 11]],
    [part(1, 0, 1, 2, [2, 2]), [11, 13]],
    [part(0, 0, 4, 1, [4, 1]), [10, 11, 12, 13]],
  ])('%j', (affinity, expected) => {
    expect(cpusOf([affinity], [10, 11, 12, 13])).toEqual(expected);
  });
});
