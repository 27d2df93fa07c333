/**
 * The stress run works, and its plan depends on nothing but the seed. What it finds in a longer run
 * is no test.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { isRecord } from '@ginit/core';
import { expect, test } from 'vitest';
import { JAILABLE } from '../harness/jailable.ts';
import { skipIfLong } from '../harness/long.ts';
import { noNatsServer } from '../harness/nats-server.ts';
import { ROOT } from '../house/source-files.ts';

function stress(...args: readonly string[]) {
  const script = join(ROOT, 'scripts', 'stress.mjs');
  return spawnSync(process.execPath, [script, ...args, '--as-built'], { cwd: ROOT, encoding: 'utf8' });
}

/** The figures in the last line of a run. */
function figuresOf(stdout: string): { line: Record<string, unknown>; figures: Record<string, unknown> } {
  const line: unknown = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
  if (!isRecord(line) || !isRecord(line['figures'])) throw new Error(`no figures: ${stdout}`);
  return { line, figures: line['figures'] };
}

test('a short run loses nothing, and a killed ginit takes everything with it', {
  timeout: 170_000,
}, (context) => {
  skipIfLong(context);
  const { status, stdout, stderr } = stress('--seconds', '3', '--seed', '1', '--components', '8', '--kill');
  expect(status, stdout + stderr).toBe(0);
  const { line, figures } = figuresOf(stdout);
  expect(Object.keys(line)).toEqual(['stress', 'seed', 'seconds', 'components', 'figures']);
  expect(line).toMatchObject({ seed: 1, seconds: 3, components: 8 });
  expect(figures['failures']).toBe(0);
  for (const key of [
    'calls',
    'sessions',
    'capabilitiesPassed',
    'packets',
    'signals',
    'dataspaces',
    'kills',
  ]) {
    expect(Number(figures[key]), key).toBeGreaterThan(0);
  }
});

test('a short run over three nodes that are killed loses nothing', { timeout: 170_000 }, ({ skip }) => {
  skipIfLong({ skip });
  skip(noNatsServer !== undefined || !JAILABLE, noNatsServer ?? 'needs a jail');
  const args = ['--seconds', '20', '--seed', '5', '--components', '10', '--nodes', '3'];
  const { status, stdout, stderr } = stress(...args);
  expect(status, stdout + stderr).toBe(0);
  const { figures } = figuresOf(stdout);
  expect(figures).toMatchObject({ failures: 0 });
  const troubles = ['kill', 'power', 'leave', 'pause', 'sleep', 'bus'];
  expect(troubles.some((kind) => Number(figures[kind]) > 0)).toBe(true);
});

test('the same seed gives the same plan, and another seed another plan', () => {
  const plan = (seed: string): string => stress('--plan', '--seed', seed, '--components', '12').stdout;
  expect(plan('5')).toMatch(/^plan [0-9a-f]{16}, seed 5\n/);
  expect(plan('5')).toBe(plan('5'));
  expect(plan('6').split('\n').slice(1)).not.toEqual(plan('5').split('\n').slice(1));
  const spread = stress('--plan', '--seed', '5', '--components', '12', '--nodes', '2').stdout;
  for (const where of ['node "m0"', 'node "m1"', 'process', 'thread of "main"'])
    expect(spread).toContain(where);
});

test('a wrong command line gives one clear error, and --help tells more', () => {
  const wrong = stress('--components', '3');
  expect(wrong.status).toBe(2);
  expect(wrong.stderr).toContain('--components 3: not a whole number from 8 to 200');
  expect(stress('--sed', '3').status).toBe(2);
  expect(stress('--help').stdout).toContain('pnpm stress [OPTIONS]');
});
