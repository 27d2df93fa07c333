/** Tests how the start node of a child changes the arguments of its CPU sessions. */
import { PRIORITY_LIMIT, schedulingOf } from '@ginit/core/system';
import { expect, test } from 'vitest';
import { schedulingArguments } from '../src/sandbox/scheduling.ts';

const AROUND = { affinitySpace: { width: 4, height: 2 }, prioLevels: 4 };
const part = (xpos: number, ypos: number, width: number, height: number) => ({ xpos, ypos, width, height });

test('a part of the affinity grid is passed on, and the whole grid is left out', () => {
  const affinityOf = (...of: Parameters<typeof part>) =>
    schedulingOf(schedulingArguments({}, { affinity: part(...of), priority: 0 }, AROUND)).affinity;
  expect(affinityOf(1, 0, 2, 1)).toEqual([{ ...part(1, 0, 2, 1), spaceWidth: 4, spaceHeight: 2 }]);
  expect(affinityOf(0, 0, 4, 1)).toEqual([{ ...part(0, 0, 4, 1), spaceWidth: 4, spaceHeight: 2 }]);
  expect(affinityOf(0, 0, 1, 2)).toEqual([{ ...part(0, 0, 1, 2), spaceWidth: 4, spaceHeight: 2 }]);
  expect(affinityOf(0, 0, 4, 2)).toEqual([]);
  expect(
    schedulingOf(schedulingArguments({}, { affinity: undefined, priority: 0 }, AROUND)).affinity,
  ).toEqual([]);
});

test('each level of priority becomes its share of the whole range; other arguments stay', () => {
  const args = schedulingArguments({ colour: 'red' }, { affinity: undefined, priority: 1 }, AROUND);
  expect(schedulingOf(args).priority).toBe(PRIORITY_LIMIT / 4);
  expect(args['colour']).toBe('red');
});
