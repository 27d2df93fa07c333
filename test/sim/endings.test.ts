/**
 * Tests the system of the campaign on endings: nested inits, with hostile servers and clients among
 * honest ones. It withstands its faults, and mistakes made on purpose in the accounts or in init
 * are found.
 */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { skipIfLong } from '../harness/long.ts';
import { CONFIG, OPTIONS, PLAN } from '../../scripts/sim-campaign/endings.mjs';
import { type FinishedRun, Workplace } from '../harness/ginit.ts';

const REGISTER = new URL('./canary/register.mjs', import.meta.url).href;

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
  place.write('config.xml', CONFIG);
  place.write('plan.xml', PLAN);
});
afterEach(() => {
  vi.unstubAllEnvs();
  place[Symbol.dispose]();
});

function simulate(...args: readonly string[]): Promise<FinishedRun> {
  return place.run('sim', ...OPTIONS, '--faults', 'plan.xml', '--no-shrink', ...args, 'config.xml');
}

test('the system of the campaign on endings withstands its faults', async () => {
  const run = await simulate('--seeds', '1..8', '--all');
  expect(run.code, run.stderr).toBe(0);
  expect(run.stderr).toMatch(/^ginit: sim: 0 seeds failed$/m);
});

test('a seed gives the same run each time, with hostile components or without', async () => {
  const [first, second] = [await simulate('--seed', '5'), await simulate('--seed', '5')];
  expect(first.stderr).toMatch(/state [0-9a-f]{16}$/m);
  expect(second.stderr).toBe(first.stderr);
  expect(second.stdout).toBe(first.stdout);
});

test.for([
  ['account-orphans', /FAILED: all accounts together have/],
  [
    'init-refund',
    /FAILED: .* (keeps what belongs to its children|has not the quota that its parent believes|has its donations back)/,
  ],
  ['init-pays', /FAILED: .* pays for its children/],
  ['init-upgrade', /FAILED: .* (has not the quota that its parent believes|has its donations back)/],
] as const)('canary "%s" is found', async ([canary, how], context) => {
  skipIfLong(context, canary === 'init-refund' || canary === 'init-pays');
  vi.stubEnv('NODE_OPTIONS', `--import ${REGISTER}`);
  vi.stubEnv('GINIT_CANARY', canary);
  const run = await simulate('--seeds', '1..100');
  expect(run.stderr).toMatch(how);
  expect(run.code).not.toBe(0);
});
