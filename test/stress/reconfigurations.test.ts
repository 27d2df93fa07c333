/** A short form of `npm run reconfigurations`: a system that gets configs one after the other. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../house/source-files.ts';

const SCRIPT = join(ROOT, 'scripts', 'reconfigurations.mjs');

const run = (times: string) =>
  spawnSync(process.execPath, [SCRIPT, '--times', times, '--as-built'], { cwd: ROOT, encoding: 'utf8' });

test.skipIf(process.platform !== 'linux')(
  'a running system that gets forty configs holds no more threads, descriptors and memory than before (skipped where there is no /proc)',
  { timeout: 240_000 },
  () => {
    const { status, stdout, stderr } = run('40');
    expect(status, stdout + stderr).toBe(0);
    const last: unknown = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
    expect(last).toMatchObject({ versions: 40, first: { processes: 3 }, last: { processes: 3 }, grown: [] });
  },
);

test('a number of times that is none is refused', () => {
  const { status, stderr } = run('many');
  expect(status).toBe(2);
  expect(stderr).toContain('--times many: not a whole number');
});
