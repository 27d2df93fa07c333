/** Tests that the heartbeats that an init counts are compared with who is silent. */
import type { ChildOverview } from '@ginit/core/system';
import { describe, expect, test } from 'vitest';
import { type Beating, whereHeartbeatsAreWrong } from '../src/checks/heartbeats.ts';

const NOW_US = 1000;

function child(name: string, skippedHeartbeats: number): ChildOverview {
  return {
    name,
    binary: name,
    state: 'running',
    restarts: 0,
    skippedHeartbeats,
    ram: 0,
    caps: 0,
    isolation: 'thread',
    sessions: [],
    why: undefined,
    exitCode: undefined,
  };
}

const init = (children: readonly ChildOverview[]): Beating => ({
  id: 1,
  label: 'init',
  ending: false,
  runtime: { overview: { children: [...children], cut: false } },
  planned: { silentUntilUs: 0 },
});
const plain = (label: string, silentUntilUs = 0, ending = false): Beating => ({
  id: 2,
  label,
  ending,
  runtime: { overview: undefined },
  planned: { silentUntilUs },
});

/** The check, with the component of this number held. */
const check = (live: readonly Beating[], held = 0): string | undefined =>
  whereHeartbeatsAreWrong(live, {
    nowUs: NOW_US,
    heldUntilUs: (id) => (id === held ? NOW_US + 1 : 0),
  });

describe('the heartbeats that an init counts', () => {
  const skipped = init([child('a', 2)]);

  test('are wrong if a child that answers is said to have skipped some', () => {
    expect(check([skipped, plain('init -> a')])).toBe(
      '[init] says that "a" has skipped 2 heartbeats, and it answers',
    );
    expect(check([init([child('a', 0)]), plain('init -> a')])).toBeUndefined();
  });

  test('are right if that child is silent or held', () => {
    expect(check([skipped, plain('init -> a', NOW_US + 1)])).toBeUndefined();
    expect(check([skipped, plain('init -> a')], 2)).toBeUndefined();
  });

  test('are not looked at if the init is held, the child is gone, or somebody is being ended', () => {
    expect(check([skipped, plain('init -> a')], 1)).toBeUndefined();
    expect(check([skipped])).toBeUndefined();
    expect(check([skipped, plain('init -> a'), plain('init -> b', 0, true)])).toBeUndefined();
  });
});
