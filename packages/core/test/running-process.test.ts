/** The end of a process as the supervisor hears of it. */
import { createInterface } from 'node:readline';
import { afterEach, expect, test } from 'vitest';
import { startPlainly } from '../src/platform/ginit/child-process/running-process.ts';

const heirs: number[] = [];
afterEach(() => heirs.splice(0).forEach((pid) => process.kill(pid, 'SIGKILL')));

test('the end of a process is told even if a program that it has started holds its outputs', async () => {
  const script = `
    const { spawn } = require('node:child_process');
    const heir = spawn('sleep', ['600'], { stdio: ['ignore', 'inherit', 'inherit'], detached: true });
    console.log(String(heir.pid));
    process.exit(7);`;
  const lines: string[] = [];
  const end = await new Promise((resolve) => {
    const start = {
      args: ['-e', script],
      env: { PATH: process.env['PATH'] ?? '' },
      descriptors: [],
      takesSockets: false,
    };
    const running = startPlainly(start, {
      spawned: () => {},
      failed: (reason) => resolve(reason),
      closed: (code, signal) => resolve({ code, signal }),
    });
    for (const stream of running.outputs)
      createInterface({ input: stream }).on('line', (line) => lines.push(line));
  });
  heirs.push(...lines.map(Number));
  expect(end).toEqual({ code: 7, signal: null });
  expect(lines).toEqual([expect.stringMatching(/^\d+$/)]);
});
