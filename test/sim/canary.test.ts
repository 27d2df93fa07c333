/**
 * Tests the simulator itself: it must find mistakes that were made on purpose, within 100 seeds and
 * with few faults.
 */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type FinishedRun, Workplace } from '../harness/ginit.ts';
import { skipIfLong } from '../harness/long.ts';
import { CANARIES } from './canary/canaries.mjs';
import { type SystemName, writeSystem } from './canary/systems.ts';

const SEEDS = '1..100';
/** A run of a hundred seeds takes a minute on a busy machine; a test has two. */
const RUN_MS = 150_000;
vi.setConfig({ testTimeout: 2 * RUN_MS });

/** Enough seeds for a system in which nothing is to be found. */
const FEW_SEEDS = ['--seeds', '1..4', '--jobs', '1'];
/** The mistakes are found by earlier ones. `npm run sim-campaign` runs thousands. */
const HEALTHY_SEEDS = '1..12';
const ROOT = new URL('../..', import.meta.url).pathname;
const REGISTER = new URL('./canary/register.mjs', import.meta.url).href;

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
});
afterEach(() => {
  vi.unstubAllEnvs();
  place[Symbol.dispose]();
});

function simulate(system: SystemName, ...args: readonly string[]): Promise<FinishedRun> {
  return place.runLong(RUN_MS, 'sim', ...writeSystem(place, system), ...args, 'config.xml');
}

function breakBy(canary: string): void {
  vi.stubEnv('NODE_OPTIONS', `--import ${REGISTER}`);
  vi.stubEnv('GINIT_CANARY', canary);
}

describe.each(['cache', 'bank', 'labels'] as const)('the healthy system "%s"', (system) => {
  test('withstands its faults', async (context) => {
    skipIfLong(context, system === 'labels');
    const run = await simulate(system, '--seeds', HEALTHY_SEEDS, '--faults', 'plan.xml');
    expect(run.code, run.stderr).toBe(0);
  });

  test('has no failure without faults', async (context) => {
    skipIfLong(context, system !== 'bank');
    const run = await simulate(system, ...FEW_SEEDS);
    expect(run.code, run.stderr).toBe(0);
  });
});

test.each(Object.entries(CANARIES))(
  'the place that the canary "%s" changes exists exactly once',
  (_name, { module, from }) => {
    expect(readFileSync(`${ROOT}${module}`, 'utf8').split(from).length).toBe(2);
  },
);

/** Found by the client that checks its blocks, or before it by the check of all Block sessions. */
const CACHE_IS_WRONG = /exit code 9|gets what cannot be there/;

/** Found by the comparison of what each init believes with the supervisor's accounts. */
const BOOKS_ARE_WRONG = /has not the quota that its parent believes/;

/**
 * How each canary is found: in which system, with at most how many faults, and by which message.
 */
const FOUND: readonly (readonly [string, SystemName, number, RegExp])[] = [
  ['channel-release', 'bank', 0, /FAILED: \[.*\] holds \d+ objects of \[.*\], which has given out \d+/],
  ['channel-signal', 'bank', 0, /FAILED: nothing can happen any more/],
  ['channel-order', 'bank', 5, /FAILED: |exit code/],
  ['cache-sync', 'cache', 2, CACHE_IS_WRONG],
  ['cache-rewrite', 'cache', 0, CACHE_IS_WRONG],
  ['cache-eviction', 'cache', 0, CACHE_IS_WRONG],
  ['init-donation', 'bank', 5, BOOKS_ARE_WRONG],
  ['init-quota', 'bank', 5, BOOKS_ARE_WRONG],
  ['plan-label', 'labels', 2, /exit code 9/],
];

/** One of each part that canaries break; the others are found in the same ways. */
const ALWAYS = ['channel-signal', 'cache-sync', 'init-quota', 'plan-label'];

describe.each(FOUND)('canary "%s" in the system "%s"', (canary, system, faultsMax, how) => {
  const title = `is found with ${faultsMax === 0 ? 'no fault' : `1 to ${faultsMax} faults`}`;
  test(title, async (context) => {
    skipIfLong(context, !ALWAYS.includes(canary));
    breakBy(canary);
    const plain = await simulate(system, ...(faultsMax === 0 ? ['--seeds', SEEDS] : FEW_SEEDS));
    if (faultsMax === 0) {
      expect(plain.stderr).toMatch(how);
      expect(plain.code).not.toBe(0);
      return;
    }
    expect(plain.code, plain.stderr).toBe(0);
    const run = await simulate(system, '--seeds', SEEDS, '--faults', 'plan.xml');
    expect(run.stderr).toMatch(how);
    const [, faults = '', total = ''] =
      /it fails with (\d+) of its (\d+) faults, none/.exec(run.stderr) ?? [];
    expect(Number(faults), run.stderr).toBeGreaterThan(0);
    expect(Number(faults)).toBeLessThanOrEqual(faultsMax);
    expect(Number(total)).toBeGreaterThanOrEqual(Number(faults));
  });
});
