/**
 * The counts of components: one that does not answer is known by its last answer, and keeps nobody
 * waiting for long.
 */
import { expect, test } from 'vitest';
import { PeerGone } from '../src/errors.ts';
import type { ComponentStatistics } from '../src/runtime/control.ts';
import { Statistics } from '../src/supervisor/statistics.ts';
import { TestClock } from './test-clock.ts';

const counted = (completed: number): ComponentStatistics => ({
  requests: 1,
  calls: 1,
  packets: 0,
  completed,
});

/** A component that answers so; `asked` counts the questions. */
function componentOf(label: string, answer: () => Promise<ComponentStatistics>) {
  const component = {
    label,
    asked: 0,
    statistics: undefined as ComponentStatistics | undefined,
    control: {
      statistics: () => {
        component.asked++;
        return answer();
      },
    },
  };
  return component;
}

function bench() {
  const clock = new TestClock();
  const warnings: string[] = [];
  return { clock, warnings, statistics: new Statistics(clock, (text) => void warnings.push(text)) };
}

test('an answer is there at once, and leaves no timeout', async () => {
  const { statistics, clock } = bench();
  expect(await statistics.ask(componentOf('init', async () => counted(7)))).toEqual(counted(7));
  expect(clock.pending).toBe(0);
});

test('a component that does not answer within half a second is known by its last answer, and not asked twice at a time', async () => {
  const { statistics, clock } = bench();
  let silent = false;
  const answers: ((value: ComponentStatistics) => void)[] = [];
  const component = componentOf('init', () =>
    silent ? new Promise((resolve) => answers.push(resolve)) : Promise.resolve(counted(7)),
  );
  await statistics.ask(component);
  silent = true;
  let known: ComponentStatistics | undefined;
  const ask = (): void => void statistics.ask(component).then((value) => (known = value));
  ask();
  await clock.passMs(499);
  expect(known).toBeUndefined();
  await clock.passMs(1);
  expect(known).toEqual(counted(7));
  ask();
  await clock.passMs(0);
  expect(component.asked).toBe(2);
  answers[0]?.(counted(8));
  await clock.passMs(0);
  expect(known).toEqual(counted(8));
  ask();
  await clock.passMs(0);
  expect(component.asked).toBe(3);
});

test('that a component is gone is not reported, any other error is', async () => {
  const { statistics, warnings } = bench();
  const gone = componentOf('init', () => Promise.reject(new PeerGone()));
  expect(await statistics.ask(gone)).toBeUndefined();
  expect(warnings).toEqual([]);
  await statistics.ask(componentOf('init', () => Promise.reject(new TypeError('a fault'))));
  expect(warnings).toEqual(['TypeError: a fault']);
});

test('progress is that of a component and of all below it, with the levels there are', async () => {
  const { statistics } = bench();
  const live = [
    componentOf('init', async () => counted(1000)),
    componentOf('init -> mid', async () => counted(10)),
    componentOf('init -> mid -> leaf', async () => counted(20)),
    componentOf('init -> mid -> inner -> leaf', async () => counted(30)),
    componentOf('init -> middle', async () => counted(1000)),
    componentOf('other -> init -> mid', async () => counted(1000)),
  ];
  // Each that lives counts as well.
  expect(await statistics.progress('init -> mid', live)).toEqual({ completed: 60 + 3, levelsBelow: 2 });
  expect(await statistics.progress('init -> mid -> leaf', live)).toEqual({ completed: 21, levelsBelow: 0 });
  expect(await statistics.progress('nobody', live)).toEqual({ completed: 0, levelsBelow: 0 });
  const silent = componentOf('init -> mid -> dead', () => Promise.reject(new PeerGone()));
  const more = await statistics.progress('init -> mid', [...live, silent]);
  expect(more).toEqual({ completed: 60 + 4, levelsBelow: 2 });
});
