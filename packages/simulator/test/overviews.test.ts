/** Tests that the overview of an init is compared with the components that there are. */
import type { ChildOverview, ChildState } from '@ginit/core/system';
import { describe, expect, test } from 'vitest';
import { type Observed, whereOverviewsAreWrong } from '../src/checks/overviews.ts';

function child(name: string, state: ChildState): ChildOverview {
  const counts = { restarts: 0, skippedHeartbeats: 0, ram: 0, caps: 0 };
  return {
    name,
    binary: name,
    state,
    ...counts,
    isolation: 'thread',
    sessions: [],
    why: undefined,
    exitCode: undefined,
  };
}

function init(label: string, children: readonly ChildOverview[], cut = false): Observed {
  return { label, ending: false, runtime: { overview: { children: [...children], cut } } };
}

const plain = (label: string, ending = false): Observed => ({
  label,
  ending,
  runtime: { overview: undefined },
});

describe('what an init tells of its children', () => {
  test('is right if the running ones are there and the crashed ones are not', () => {
    const children = [
      child('a', 'running'),
      child('b', 'crashed'),
      child('c', 'exited'),
      child('d', 'stuck'),
    ];
    const live = [init('init', children), plain('init -> a'), plain('init -> a -> own child')];
    expect(whereOverviewsAreWrong(live)).toBeUndefined();
  });

  test('is wrong if one that it calls running is gone', () => {
    expect(whereOverviewsAreWrong([init('init', [child('a', 'running')])])).toBe(
      '[init] says that "a" is running, and it is gone',
    );
  });

  test('is wrong if one that it calls crashed is there', () => {
    const nested = [init('init -> sub', [child('a', 'gave up')]), plain('init -> sub -> a')];
    expect(whereOverviewsAreWrong(nested)).toBe('[init -> sub] says that "a" gave up, and it is there');
  });

  test('is wrong if it leaves one out', () => {
    expect(whereOverviewsAreWrong([init('init', []), plain('init -> a')])).toBe(
      '[init] does not tell of "a"',
    );
  });

  test('is not looked at while somebody is being ended, or if it was cut', () => {
    expect(whereOverviewsAreWrong([init('init', []), plain('init -> a', true)])).toBeUndefined();
    expect(whereOverviewsAreWrong([init('init', [], true), plain('init -> a')])).toBeUndefined();
  });
});
