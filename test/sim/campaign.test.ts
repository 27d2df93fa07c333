/**
 * Tests the campaign: it runs, its judge finds mistakes, and it reports the tools that it lacks.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { skipIfLong } from '../harness/long.ts';
import { missingTools } from '../harness/disk-image.ts';
import { RUN_TIMEOUT_MS } from '../harness/patience.ts';

const SCRIPT = fileURLToPath(new URL('../../scripts/sim-campaign.mjs', import.meta.url));
const JUDGE = new URL('../../scripts/sim-campaign/judge.mjs', import.meta.url).href;
const SYSTEM = new URL('../../scripts/sim-campaign/system.mjs', import.meta.url).href;
const IMAGE = fileURLToPath(new URL('../../examples/disk.img', import.meta.url));

function node(...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, args, { encoding: 'utf8', timeout: RUN_TIMEOUT_MS });
}

test.skipIf(missingTools)(
  'a campaign runs a few seeds, one of which once found a mistake, and checks the disks',
  (context) => {
    skipIfLong(context);
    const { status, stdout, stderr } = node(
      SCRIPT,
      '--as-built',
      '--seeds',
      '1774..1777',
      '--judge-every',
      '2',
    );
    expect(status, stdout + stderr).toBe(0);
    expect(stdout).toMatch(
      /^sim-campaign: 4 seeds, 0 failed; 2 disks judged after \d+ SYNCs: \d had to be mended, 0 wrong$/m,
    );
  },
);

test.skipIf(missingTools)('the judge reports a synced file that is missing', () => {
  const script = `import { judge } from '${JUDGE}'; import { filesAfter } from '${SYSTEM}'; import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
    import { tmpdir } from 'node:os'; import { join } from 'node:path';
    const directory = mkdtempSync(join(tmpdir(), 'ginit-judge-')); const image = join(directory, 'disk.img');
    copyFileSync('${IMAGE}', image);
    console.log(JSON.stringify([judge(image, filesAfter(1)).problems, judge(image, new Map([['/hello.txt', 'Hello']])).problems]));
    rmSync(directory, { recursive: true });`;
  const { stdout, stderr } = node('--input-type=module', '-e', script);
  const [missed, right] = JSON.parse(stdout || `["${stderr}"]`);
  expect(missed).toEqual([
    '/round-1/text was synced, but has 0 characters: ""',
    '/log was synced, but has 0 characters: ""',
  ]);
  expect(right).toEqual([]);
});

test.each([
  [['--seeds', '5'], '--seeds 5: not a range (for example 1..100)'],
  [['--seeds', '5..1'], '--seeds 5..1: the range is empty'],
  [['--judge-every', '0'], '--judge-every is a whole number from 1 on'],
])('a wrong command line of the campaign is refused: %j', (args, text) => {
  const { status, stderr } = node(SCRIPT, ...args);
  expect(stderr).toBe(`sim-campaign: ${text}\n`);
  expect(status).toBe(2);
});
