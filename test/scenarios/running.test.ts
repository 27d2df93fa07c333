/**
 * The commands on a running system, as people use them: one system is launched and looked at from
 * outside.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CORE_URL, type GinitRun, systemConfig, Workplace } from '../harness/ginit.ts';

const DEAL = `import { component, nothing, rpc, session } from '${CORE_URL}';
export const Deal = session('Deal', { strike: rpc({ args: [], result: nothing }) });
export default component({ provides: [Deal] }, (env) => {
  env.provide(Deal, () => ({ strike: () => {} }));
});`;
const BUYER = `import { component, Timer } from '${CORE_URL}';
import { Deal } from './deal.mjs';
export default component({ requires: [Deal, Timer] }, async (env) => {
  const deal = await env.connect(Deal, { label: 'fair' });
  await env.log('a deal');
  for (;;) { await deal.strike(); await env.timer.sleep(20); }
});`;
const STARTS = `<start name="seller"> <binary name="./deal.mjs"/> <provides> <service name="Deal"/> </provides> </start>
  <start name="buyer"> <binary name="./buyer.mjs"/> <restart max="100" period_s="60"/> </start>
  <start name="sub" ram="30M" caps="600"> <binary name="init"/> ${systemConfig(`
    <start name="deal"> <binary name="./deal.mjs"/> <provides> <service name="Deal"/> </provides> </start>
    <start name="inner" isolation="process"> <binary name="./buyer.mjs"/> </start>`)} </start>`;

let place: Workplace;
let sockets: string;
let system: GinitRun;

beforeAll(() => {
  place = new Workplace();
  sockets = join(place.directory, 's');
  process.env['GINIT_RUNTIME_DIR'] = sockets;
  place.write('deal.mjs', DEAL);
  place.write('buyer.mjs', BUYER);
  place.write('shop.xml', systemConfig(STARTS));
  system = place.start('shop.xml');
});
afterAll(async () => {
  system.child.kill('SIGKILL');
  await system.finished;
  delete process.env['GINIT_RUNTIME_DIR'];
  place[Symbol.dispose]();
});

const labels = [
  'init',
  'init -> seller',
  'init -> buyer',
  'init -> sub',
  'init -> sub -> deal',
  'init -> sub -> inner',
];

interface Row {
  readonly label: string;
  readonly state: string;
  readonly pid: number;
  readonly thread: number;
  readonly restarts: number;
}

async function rows(): Promise<Row[]> {
  const { stdout, code, stderr } = await place.run('ps', '--json');
  expect(code, `${stderr}${system.stdout}${system.stderr}`).toBe(0);
  return JSON.parse(stdout).components;
}
const rowOf = async (label: string): Promise<Row | undefined> =>
  (await rows()).find((row) => row.label === label);

test('a running system is waited for, shown, restarted, killed and followed, and a second one of its name is refused', async () => {
  // It waits for the system itself, too.
  const waited = await place.run('wait', '--timeout', '50s');
  expect([waited.code, waited.stdout, waited.stderr]).toEqual([0, '', '']);

  const ps = await place.run('ps');
  expect(ps.lines[0]).toMatch(/^component +state +runs in +RAM used +caps used +restarts +reason$/);
  expect(ps.lines.map((line) => line.split(/ +running/)[0]?.trim()).slice(1)).toEqual([
    'init',
    'seller',
    'buyer',
    'sub',
    'deal',
    'inner',
  ]);
  expect((await rows()).map(({ label, state }) => [label, state])).toEqual(
    labels.map((label) => [label, 'running']),
  );

  const top = await place.run('top', '--count', '2', '--interval', '500ms', '--json');
  const [, second = ''] = top.lines;
  const activity: { label: string; cpuUs: number; callsPerS: number }[] = JSON.parse(second);
  expect(activity.map(({ label }) => label).toSorted()).toEqual(labels.toSorted());
  expect(activity.find(({ label }) => label === 'init -> seller')?.callsPerS).toBeGreaterThan(0);
  if (process.platform === 'linux') for (const { cpuUs } of activity) expect(cpuUs).toBeGreaterThan(0);

  const dot = await place.run('graph');
  expect(dot.stdout).toMatch(/^digraph ginit \{[^]*c2 -> c1 \[label="Deal[^]*c5 -> c4[^]*\}\n$/);

  // A follower sees the log of both instances, and another waits for a component that is not there.
  const following = place.start('log', '-f', 'buyer');
  await following.until('[init -> buyer] a deal');
  const waiting = place.start('log', '-f', 'nobody -> yet');
  const before = await rowOf('init -> buyer');
  expect((await place.run('kill', 'buyer')).code).toBe(0);
  await following.until('[init -> buyer] a deal\n[init -> buyer] a deal');
  expect((await place.run('wait', 'buyer', '--timeout', '50s')).code).toBe(0);
  const after = await rowOf('init -> buyer');
  expect([before?.restarts, after?.restarts, after?.thread === before?.thread]).toEqual([0, 1, false]);

  const inner = await rowOf('init -> sub -> inner');
  expect((await place.run('restart', 'sub -> inner')).code).toBe(0);
  expect(await place.run('wait', '--timeout', '30s')).toMatchObject({ code: 0, stderr: '' });
  const innerAfter = await rowOf('init -> sub -> inner');
  expect(innerAfter?.state).toBe('running');
  expect(innerAfter?.pid).not.toBe(inner?.pid);
  const log = await place.run('log', 'sub');
  expect(log.lines.filter((line) => line === '[init -> sub -> inner] a deal')).toHaveLength(2);

  for (const stopped of [following, waiting]) {
    stopped.child.kill('SIGINT');
    expect((await stopped.finished).code).toBe(0);
  }
  expect(await place.run('kill', 'init')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('root init'),
  });
  expect(await place.run('log', 'nobody')).toMatchObject({
    code: 1,
    stderr: 'ginit: there is no component "nobody"\n',
  });
  expect(await place.run('ps', '--wrong')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('try "ginit help ps"'),
  });
  const absent = await place.run('wait', 'ghost', '--timeout', '300ms');
  expect(absent).toMatchObject({ code: 1, stderr: 'ginit: [ghost] there is no such component\n' });

  const again = await place.run('shop.xml');
  expect(again.code).toBe(2);
  expect(again.stderr).toBe(
    `ginit: system "shop" runs already (process ${system.child.pid}, ${place.path('shop.xml')}); to run one more beside it, give it a name: --system NAME\n`,
  );
  expect(again.stdout).toBe('');
});

test('a system that was killed leaves a socket, which the next command removes; one that ends leaves none', async () => {
  system.child.kill('SIGKILL');
  await system.finished;
  expect(readdirSync(sockets)).toEqual(['shop.sock']);
  const ps = await place.run('ps');
  expect(ps.code).toBe(1);
  expect(ps.stderr).toMatch(/^ginit: no system of yours runs\n/);
  expect(readdirSync(sockets)).toEqual([]);
  place.write(
    'short.xml',
    systemConfig(
      '<start name="seller"> <binary name="./deal.mjs"/> <provides> <service name="Deal"/> </provides> </start>',
    ),
  );
  const short = place.start('--system', 'brief', 'short.xml');
  expect((await place.run('wait', '--system', 'brief', '--timeout', '50s')).code).toBe(0);
  short.child.kill('SIGTERM');
  expect((await short.finished).code).toBe(0);
  expect(existsSync(join(sockets, 'brief.sock'))).toBe(false);
});
