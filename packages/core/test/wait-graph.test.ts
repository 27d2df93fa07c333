/** Waits in synchronous calls: who closes a circle is refused, and nobody else. */
import { expect, test } from 'vitest';
import { hasCode } from '../src/errors.ts';
import { WaitGraph } from '../src/supervisor/wait-graph.ts';

/**
 * A graph whose members answer by `still`; `asked` are the components that were asked, with the
 * number of their wait.
 */
function graphOf(still: (component: number) => Promise<boolean> = async () => true) {
  const asked: [number, number][] = [];
  const graph = new WaitGraph((component, wait) => {
    asked.push([component, wait]);
    return still(component);
  });
  const begin = (component: number, peer: number, wait = 1): Promise<unknown> =>
    graph.begin(component, { peer, wait }).catch((error: unknown) => error);
  return { graph, asked, begin };
}

test('a component may wait for one that runs, whoever else waits for the same', async () => {
  const { begin, asked } = graphOf();
  expect(await begin(1, 2)).toBeUndefined();
  expect(await begin(3, 2)).toBeUndefined();
  expect(await begin(4, 3)).toBeUndefined();
  expect(asked).toEqual([]);
});

test('a wait that closes a circle is refused once all of its members have said that they still wait', async () => {
  const { begin, asked } = graphOf();
  await begin(1, 2, 11);
  await begin(2, 3, 22);
  expect(hasCode(await begin(3, 1, 33), 'WouldDeadlock')).toBe(true);
  expect(asked).toEqual([
    [1, 11],
    [2, 22],
  ]);
});

test('a member that goes on, or does not answer, is no deadlock', async () => {
  const goesOn = graphOf(async (component) => component !== 2);
  await goesOn.begin(1, 2);
  await goesOn.begin(2, 3);
  expect(await goesOn.begin(3, 1)).toBeUndefined();
  const gone = graphOf(() => Promise.reject(new Error('gone')));
  await gone.begin(1, 2);
  expect(await gone.begin(2, 1)).toBeUndefined();
});

test('a wait for members of a circle without the caller is not refused', async () => {
  const { begin, asked } = graphOf(async () => false);
  await begin(1, 2);
  await begin(2, 1);
  asked.length = 0;
  expect(await begin(3, 1)).toBeUndefined();
  expect(asked).toEqual([]);
});

test('waits that are over make no circle, and a late report that one is over does not end the next', async () => {
  const { graph, begin } = graphOf();
  await begin(1, 2, 1);
  graph.end(1, 1);
  expect(await begin(2, 1, 1)).toBeUndefined();
  await begin(3, 4, 1);
  await begin(3, 5, 2);
  graph.end(3, 1);
  expect(hasCode(await begin(5, 3, 1), 'WouldDeadlock')).toBe(true);
});

test('the waits of a component end with it', async () => {
  const { graph, begin } = graphOf();
  await begin(1, 2);
  graph.ended(1);
  expect(await begin(2, 1)).toBeUndefined();
});
