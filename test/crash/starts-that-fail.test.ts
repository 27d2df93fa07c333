/**
 * Tests starts that fail. Such a failure belongs to the child that was to be started: it is
 * reported with its reason, and everything else goes on.
 */
import { readFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { type GinitRun, systemConfig, Workplace } from '../harness/ginit.ts';

/** Enough for ginit and a few processes. */
const FEW = 'ulimit -n 80';

const STEADY = `import { component } from '@ginit/core';
export default component({}, async (env) => {
  env.log('process ' + process.pid);
  for (let beat = 1; ; beat++) {
    env.log('beat ' + beat);
    await env.timer.sleep(50);
  }
});`;

const ALIVE = `import { component } from '@ginit/core';
export default component({}, async (env) => {
  env.log('alive');
  await new Promise(() => {});
});`;

let place: Workplace;
afterEach(() => place[Symbol.dispose]());

function prepare(starts: string): Workplace {
  place = new Workplace();
  place.write('steady.mjs', STEADY);
  place.write('alive.mjs', ALIVE);
  place.write('config.xml', systemConfig(starts));
  return place;
}

const own = (name: string, more = ''): string =>
  `<start name="${name}" isolation="process"> <binary name="./alive.mjs"/> ${more} </start>`;
const TEN = Array.from({ length: 10 }, (_, index) => own(`p${index}`)).join('\n');
const THREAD = '<start name="thread"> <binary name="./steady.mjs"/> </start>';

async function stop(running: GinitRun): Promise<void> {
  running.child.kill('SIGTERM');
  const { code, stderr } = await running.finished;
  expect(code, stderr).toBe(0);
  expect(await running.leftOver()).toEqual([]);
}

test('when there are descriptors for a few of ten processes, those run, and each of the others is reported with the reason', async () => {
  const running = prepare(`${THREAD} ${TEN}`).startLimited(FEW, 'config.xml');
  await running.until('[init -> p9] crashed: its process could not be started');
  await running.until('[init -> p0] alive');
  await running.until('[init -> thread] beat 5');
  const failed = running.stderr.match(
    /\[init -> p\d\] crashed: its process could not be started: .*descriptor.*ulimit -n/g,
  );
  expect(failed?.length ?? 0).toBeGreaterThanOrEqual(3);
  expect(running.stderr).not.toMatch(/node:internal|at .*\.js:\d+/);
  await stop(running);
});

test('a start that fails spends the restart budget of that child only', async () => {
  const restart = '<restart max="2" period_s="600"/>';
  const running = prepare(`${THREAD} ${TEN} ${own('last', restart)}`).startLimited(FEW, 'config.xml');
  await running.until('child "last" is started again (2 of 2 in 600 s)');
  await running.until('child "last" has crashed too often and stays down');
  await running.until('[init -> thread] beat 5');
  expect(running.stderr.match(/\[init -> last\] crashed: its process could not be started/g)).toHaveLength(3);
  await stop(running);
});

test('ginit check warns of a config that needs more than the host allows', async () => {
  const run = await prepare(TEN).startLimited(FEW, 'check', 'config.xml').finished;
  expect(run.code, run.stderr).toBe(0);
  expect(`${run.stdout}${run.stderr}`).toMatch(
    /config\.xml:1:1: warning: 11 processes need about \d+ file descriptors in ginit, and it may have 80 \(ulimit -n\)/,
  );
  expect((await prepare(THREAD).run('check', 'config.xml')).stderr).not.toContain('descriptors');
});

test('a process that is stopped by a signal still ends with ginit', async () => {
  const running = prepare(
    '<start name="steady" isolation="process"> <binary name="./steady.mjs"/> </start>',
  ).start('config.xml');
  await running.until('[init -> steady] beat 2');
  const pid = Number(/\[init -> steady\] process (\d+)/.exec(running.stdout)?.[1]);
  process.kill(pid, 'SIGSTOP');
  while (!/^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  running.child.kill('SIGKILL');
  await running.finished;
  expect(await running.leftOver(10_000)).toEqual([]);
});
