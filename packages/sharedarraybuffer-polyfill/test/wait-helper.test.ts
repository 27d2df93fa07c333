/**
 * One helper thread for all workers: it serves them, outlives those that are terminated, and keeps
 * nothing alive.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { skipReason } from './observe.ts';

const PROGRAM = fileURLToPath(new URL('./helper-program.mjs', import.meta.url));

function run(mode: string, kind: string): { codes: number[]; helpers: number } {
  const options = { encoding: 'utf8', timeout: 30_000 } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, mode, kind], options);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout);
}

describe.skipIf(skipReason)(`helper threads (${skipReason ?? 'shared memory works here'})`, () => {
  test.each(['change', 'any wake'])('one for all workers after shareWaitHelper (%s)', (kind) => {
    expect(run('shared', kind)).toEqual({ codes: [7, 7, 7, 7], helpers: 1 });
  });

  test.each(['change', 'any wake'])('one for each worker that waits otherwise (%s)', (kind) => {
    expect(run('own', kind)).toEqual({ codes: [7, 7, 7, 7], helpers: 4 });
  });
});
