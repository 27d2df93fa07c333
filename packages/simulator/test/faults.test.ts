/**
 * Tests the faults of a run: that each is independent of the others, and how it is found which of
 * them are needed.
 */
import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { Random } from '../src/order/random.ts';
import { concreteFaults, countFaults, pickByLabel } from '../src/faults/concrete-faults.ts';
import { minimise } from '../src/run/delta-debugging.ts';
import type { FaultPlan } from '../src/faults/fault-plan.ts';
import { hasFailed, propertyOf } from '../src/run/verdict.ts';

const PLAN: FaultPlan = [
  { kind: 'crash', component: undefined, process: false, within: 1000, count: 3 },
  { kind: 'power-cut', torn: true, within: 1000, count: 2 },
  { kind: 'stall', component: 'init -> a', ms: 5, within: 10, count: 1 },
];

describe('the faults of a seed', () => {
  const all = concreteFaults(PLAN, new Random(7), undefined);

  test('are numbered as in the plan, and come in the order of their times', () => {
    expect(countFaults(PLAN)).toBe(6);
    expect(all.map(({ number }) => number).toSorted()).toEqual([1, 2, 3, 4, 5, 6]);
    const times = all.map(({ afterTasks }) => afterTasks);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    for (const { fault, afterTasks } of all) expect(afterTasks).toBeLessThan(fault.within);
    expect(new Set(times).size).toBeGreaterThan(3);
    expect(concreteFaults(PLAN, new Random(8), undefined)).not.toEqual(all);
  });

  test('are the same, and have the same chance, whichever others are left out', () => {
    const chance = (only?: readonly number[]): Map<number, string> =>
      new Map(
        concreteFaults(PLAN, new Random(7), only).map(({ number, afterTasks, random }) => [
          number,
          [afterTasks, random.u32(), random.u32()].join(),
        ]),
      );
    const whole = chance();
    for (const only of [[], [2], [6, 1], [3, 4, 5]]) {
      const some = chance(only);
      expect([...some.keys()].toSorted()).toEqual(only.toSorted());
      for (const [number, text] of some) expect(text).toBe(whole.get(number));
    }
  });

  test('keep their victim as long as it is there, whichever other components there are', () => {
    const people = ['a', 'b', 'c', 'd', 'e'].map((label) => ({ label }));
    const victims = new Set<string | undefined>();
    for (let number = 1; number <= 40; number++) {
      const fault = { number, random: new Random(5) };
      const victim = pickByLabel(people, fault);
      victims.add(victim?.label);
      for (const gone of people.filter((one) => one !== victim)) {
        const left = people.filter((one) => one !== gone).toReversed();
        expect(pickByLabel(left, fault)).toBe(victim);
      }
    }
    expect(victims.size).toBe(people.length);
    expect(pickByLabel([], { number: 1, random: new Random(5) })).toBeUndefined();
  });
});

describe('delta debugging', () => {
  async function shrink(
    causes: readonly number[],
    fails: (list: readonly number[]) => boolean,
  ): Promise<{ readonly rest: readonly number[]; readonly tries: number }> {
    let tries = 0;
    const rest = await minimise(
      causes,
      async (lists) => {
        tries += lists.length;
        const found = lists.findIndex(fails);
        return found < 0 ? undefined : found;
      },
      (list) => list,
    );
    return { rest, tries };
  }

  const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

  test('finds exactly the causes that are needed, if all of them are needed together and no other cause hides the failure', async () => {
    const input = fc
      .integer({ min: 1, max: 40 })
      .chain((count) => fc.tuple(fc.constant(count), fc.subarray(upTo(count))));
    await fc.assert(
      fc.asyncProperty(input, async ([count, needed]) => {
        const { rest, tries } = await shrink(upTo(count), (list) =>
          needed.every((one) => list.includes(one)),
        );
        expect(rest).toEqual(needed);
        // The bound of the paper, plus the empty list.
        expect(tries).toBeLessThanOrEqual(count * count + 3 * count + 1);
      }),
    );
  });

  test('ends with a list that fails and of which no cause can be left out, whichever lists fail', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 12 }), fc.integer(), async (count, salt) => {
        const causes = upTo(count);
        const fails = (list: readonly number[]): boolean =>
          list.length === count || new Random(salt >>> 0, list.join()).once(3);
        const { rest } = await shrink(causes, fails);
        expect(fails(rest)).toBe(true);
        if (rest.length === 0) return;
        for (const one of rest) expect(fails(rest.filter((other) => other !== one))).toBe(false);
      }),
    );
  });

  test('goes on with the causes that it is told are left of a smaller list', async () => {
    const told: (readonly number[])[] = [];
    const fails = (list: readonly number[]): boolean => list.includes(3);
    const rest = await minimise(
      upTo(16),
      async (lists) => {
        const found = lists.findIndex(fails);
        return found < 0 ? undefined : found;
      },
      (list) => {
        told.push(list);
        return [3];
      },
    );
    expect(rest).toEqual([3]);
    expect(told).toEqual([upTo(8)]);
  });
});

test('two failures count as the same property, whatever their numbers and particulars are', () => {
  const problem = (text: string): string => propertyOf({ code: 3, problem: text });
  expect(problem('calls are not answered; [a] waits for [b] to answer Block.info (1.5 s)')).toBe(
    problem('calls are not answered; [b] waits for [c] to answer Block.info (2.5 s)'),
  );
  expect(problem('[a] holds 2 objects of [b], which has given out 3')).toBe(
    problem('[a] holds 4 objects of [b], which has given out 1'),
  );
  expect(problem('the system does not stop; no call is open')).not.toBe(problem('calls are not answered; x'));
  expect(propertyOf({ code: 1, problem: undefined })).not.toBe(propertyOf({ code: 2, problem: undefined }));
  expect(hasFailed({ code: 1, problem: undefined }, false)).toBe(true);
  expect(hasFailed({ code: 1, problem: undefined }, true)).toBe(false);
  expect(hasFailed({ code: 3, problem: 'x' }, true)).toBe(true);
});
