/** Tests the checks of simulated runs: each is shown something that it must find. */
import { expect, test } from 'vitest';
import type { Census } from '@ginit/core/platform';
import { afterTheEnd, whereTheyDiffer, whoWaits } from '../src/checks/checks.ts';

type Platform = Parameters<typeof whereTheyDiffer>[0];

const census = (...channels: [peer: number, exports: number, imports: number][]): Census => ({
  channels: channels.map(([peer, exports, imports]) => ({ peer, exports, imports, calls: 0 })),
  introductions: 0,
});

/** A platform of components with these censuses, with ids from 1. */
function platformOf(...censuses: Census[]): Platform {
  const live = censuses.map((value, index) => ({
    id: index + 1,
    ending: false,
    runtime: { census: () => value },
  }));
  return { live, labelOf: (id: number) => `c${id}` } as unknown as Platform;
}

test('a difference between what two components hold of each other is found', () => {
  const same = platformOf(census([0, 1, 2], [2, 3, 0]), census([1, 0, 3]));
  expect(whereTheyDiffer(same, census([1, 2, 1]))).toBeUndefined();
  const lost = platformOf(census([0, 1, 2], [2, 3, 0]), census([1, 0, 2]));
  expect(whereTheyDiffer(lost, census([1, 2, 1]))).toBe(
    '[c2] holds 2 objects of [c1], which has given out 3',
  );
  expect(whereTheyDiffer(same, census([1, 3, 1]))).toBe(
    '[c1] holds 2 objects of [c0], which has given out 3',
  );
});

const root = (ramQuota: number, capUsed: number): Parameters<typeof afterTheEnd>[0] => [
  {
    label: 'init',
    placement: { kind: 'process', domain: 'init', pid: 1 },
    account: { ramQuota, ramUsed: 0, capQuota: 10, capUsed },
    ramPeak: 0,
    heapUsed: undefined,
    heapBytes: undefined,
    requests: 0,
    ended: true,
  },
];

test('it is found if after the end a component, a held capability or missing quota is left', () => {
  const nothing = { ...census(), live: [] };
  const whole = { ram: 100, caps: 10 };
  expect(afterTheEnd(root(100, 0), nothing, whole)).toBeUndefined();
  expect(afterTheEnd(root(99, 0), nothing, whole)).toMatch(/quota is not conserved: 1 bytes/);
  expect(afterTheEnd(root(100, 1), nothing, whole)).toMatch(/0 caps are lost and 1 in use/);
  expect(afterTheEnd(root(100, 0), { ...nothing, live: ['init -> a'] }, whole)).toMatch(/init -> a/);
  expect(afterTheEnd(root(100, 0), { ...census([1, 0, 0]), live: [] }, whole)).toMatch(/1 channels/);
});

test('the list of waiting calls is bounded', () => {
  const system = {
    platform: platformOf(),
    scheduler: { nowUs: 2_500_000 },
    titleOf: () => 'Block.info',
  } as unknown as Parameters<typeof whoWaits>[0];
  const call = { caller: 1, callee: 2, operation: 0, sinceUs: 1_000_000 };
  expect(whoWaits(system, [])).toBe('no call is open');
  expect(whoWaits(system, [call])).toBe('[c1] waits for [c2] to answer Block.info (1.500 s)');
  expect(
    whoWaits(
      system,
      Array.from({ length: 10 }, () => call),
    ),
  ).toMatch(/, and 2 more calls$/);
});
