/** A short form of `npm run block-soak`, and what it takes for wrong. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { skipIfLong } from '../harness/long.ts';
import { ROOT } from '../house/source-files.ts';
import { compare, fill, UNKNOWN, ZEROS } from './soak/sectors.mjs';

const SCRIPT = join(ROOT, 'scripts', 'block-soak.mjs');
const soak = (...args: readonly string[]) =>
  spawnSync(process.execPath, [SCRIPT, ...args, '--as-built'], { cwd: ROOT, encoding: 'utf8' });

test('a sector of another place, of another version, or with one wrong word is found', () => {
  const bytes = new Uint8Array(4 * 512);
  fill(bytes, 8, 3);
  const versions = new Uint32Array(16).fill(3);
  expect(compare(bytes, 8, versions)).toEqual({ compared: 4, wrong: [] });
  expect(compare(bytes, 9, versions).wrong.length).toBe(4);
  versions[10] = 4;
  versions[11] = UNKNOWN;
  expect(compare(bytes, 8, versions)).toEqual({ compared: 3, wrong: ['sector 10 holds 10/3, not 10/4'] });
  versions.fill(ZEROS, 8, 10);
  expect(compare(bytes, 8, versions).wrong.length).toBe(3);
  bytes.fill(0, 0, 1024);
  bytes[700] = 1;
  expect(compare(bytes, 8, versions).wrong).toEqual([
    'sector 9 holds 0/1, not 0/0',
    'sector 10 holds 10/3, not 10/4',
  ]);
});

test('a short soak finds nothing wrong, and nothing is left', { timeout: 170_000 }, (context) => {
  skipIfLong(context);
  const { status, stdout, stderr } = soak('--seconds', '3', '--seed', '1');
  expect(status, stderr).toBe(0);
  expect(JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')).toMatchObject({
    seconds: 3,
    chains: { cached: {}, exported: {}, faulty: {} },
    wrong: [],
  });
});

test('a wrong command line gives one clear error', () => {
  const { status, stderr } = soak('--seconds', 'long');
  expect({ status, stderr }).toEqual({
    status: 2,
    stderr: 'block-soak: --seconds long: not a whole number from 1 to 1000000\n',
  });
});
