/**
 * The commands on a running system, as people use them: one system is launched and looked at from
 * outside.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ControlClient, socketPath } from '../../packages/init/src/command/control/index.ts';
import { Output } from '../../packages/init/src/command/output.ts';
import { runningCommand } from '../../packages/init/src/command/running/main.ts';
import { RUNNING_COMMANDS } from '../../packages/init/src/command/running/options.ts';
import { CORE_URL, type GinitRun, systemConfig, Workplace } from '../harness/ginit.ts';

const DEAL = `import { component, nothing, rpc, session } from '${CORE_URL}';
export const Deal = session('Deal', { strike: rpc({ args: [], result: nothing }) });
export default component({ provides: [Deal] }, (env) => {
  env.provide(Deal, () => ({ strike: () => {} }));
});`;
const BUYER = `import { component, Timer } from '${CORE_URL}';
import { Reporter } from '${CORE_URL}/report';
import { Deal } from './deal.mjs';
export default component({ requires: [Deal, Timer] }, async (env) => {
  const mood = new Reporter(env, 'mood');
  await mood.submit(new TextEncoder().encode('<mood is="good"/>')).catch(() => {});
  const deal = await env.connect(Deal, { label: 'fair' });
  await env.log('a deal');
  for (;;) { await deal.strike(); await env.timer.sleep(20); }
});`;
const STARTS = `<start name="seller"> <binary name="./deal.mjs"/> <provides> <service name="Deal"/> </provides> </start>
  <start name="buyer"> <binary name="./buyer.mjs"/> <restart max="100" period_s="60"/> </start>
  <start name="sub" ram="30M" caps="600"> <binary name="init"/> ${systemConfig(`
    <start name="deal"> <binary name="./deal.mjs"/> <provides> <service name="Deal"/> </provides> </start>
    <start name="inner" isolation="process"> <binary name="./buyer.mjs"/> </start>`)} </start>`;

/** The config with these start nodes, whose parent takes reports. */
const shop = (starts: string): string =>
  systemConfig(starts).replace('<service name="Timer"/>', '$& <service name="Report"/>');

/** Room for a machine that has a lot to do besides. */
const TIMEOUT_MS = 240_000;

let place: Workplace;
let sockets: string;
let system: GinitRun;

beforeAll(() => {
  place = new Workplace();
  sockets = join(place.directory, 's');
  process.env['GINIT_RUNTIME_DIR'] = sockets;
  place.write('deal.mjs', DEAL);
  place.write('buyer.mjs', BUYER);
  place.write('shop.xml', shop(STARTS));
  system = place.start('shop.xml');
});
afterAll(async () => {
  system.child.kill('SIGKILL');
  await system.finished;
  delete process.env['GINIT_RUNTIME_DIR'];
  place[Symbol.dispose]();
});

/** Runs a command on the running system in this process: a process for each would take long. */
async function ginit(
  ...args: readonly string[]
): Promise<{ code: number; stdout: string; stderr: string; lines: string[] }> {
  const written = { out: '', err: '' };
  const into = (key: 'out' | 'err'): Writable =>
    new Writable({
      write: (chunk, _encoding, done) => {
        written[key] += String(chunk);
        done();
      },
    });
  const command = RUNNING_COMMANDS.find((known) => known === args[0]);
  if (!command) throw new Error(`no command ${args[0]}`);
  const code = await runningCommand(command, args.slice(1), new Output(into('out'), into('err')));
  const lines = written.out.split('\n').filter((line) => line !== '');
  return { code, stdout: written.out, stderr: written.err, lines };
}

/** Follows the log of a component. */
async function follow(label: string): Promise<{ heard: unknown[]; end: () => Promise<unknown> }> {
  const client = await ControlClient.connect(socketPath(sockets, 'shop'));
  if (!(client instanceof ControlClient)) throw new Error('the system runs');
  const heard: unknown[] = [];
  const stop = new AbortController();
  const item = (piece: unknown): void => void heard.push(piece);
  const over = client.ask('log', { label, follow: 'yes' }, { item, signal: stop.signal });
  const end = async (): Promise<unknown> => {
    stop.abort();
    const error = await over.catch((reason: unknown) => reason);
    client.close();
    return error;
  };
  return { heard, end };
}

async function until(what: () => boolean): Promise<void> {
  while (!what()) await new Promise((resolve) => setTimeout(resolve, 10));
}

const LABELS = [
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
  const { stdout, code, stderr } = await ginit('ps', '--json');
  expect(code, `${stderr}${system.stdout}${system.stderr}`).toBe(0);
  return JSON.parse(stdout).components;
}
const rowOf = async (label: string): Promise<Row | undefined> =>
  (await rows()).find((row) => row.label === label);

test('a running system is waited for, shown, restarted, killed and followed, and a second one of its name is refused', {
  timeout: TIMEOUT_MS,
}, async () => {
  // It waits for the system itself, too.
  const waited = await ginit('wait', '--timeout', '50s');
  expect([waited.code, waited.stdout, waited.stderr]).toEqual([0, '', '']);

  // The command itself, once.
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
    LABELS.map((label) => [label, 'running']),
  );

  const top = await ginit('top', '--count', '2', '--interval', '500ms', '--json');
  const [, second = ''] = top.lines;
  const activity: { label: string; cpuUs: number; callsPerS: number }[] = JSON.parse(second);
  expect(activity.map(({ label }) => label).toSorted()).toEqual(LABELS.toSorted());
  expect(activity.find(({ label }) => label === 'init -> seller')?.callsPerS).toBeGreaterThan(0);
  if (process.platform === 'linux') for (const { cpuUs } of activity) expect(cpuUs).toBeGreaterThan(0);

  expect(second).toContain('"reports":[{"name":"mood","state":{"type":"mood","attributes":{"is":"good"}');
  const topText = await ginit('top', '--count', '1', '--interval', '100ms');
  expect(topText.lines.slice(-2)).toEqual(['init -> buyer -> mood', '  is good']);

  // A plan looks into the nested init, which says itself what would change there.
  const next = STARTS.replace('<start name="inner"', '<start name="outer"').replace('ram="30M"', 'ram="31M"');
  place.write('next.xml', shop(next));
  const planned = [
    'new config for "sub"',
    '  start "outer": it is new',
    '  stop "inner": it is not named any more',
    're-budget "sub": 30M of ram and 600 caps become 31M of ram and 600 caps',
  ];
  expect(await ginit('plan', place.path('next.xml'))).toMatchObject({ code: 0, lines: planned, stderr: '' });
  expect((await place.run('plan', 'shop.xml', 'next.xml')).lines).toEqual(planned);

  const dot = await ginit('graph');
  expect(dot.stdout).toMatch(/^digraph ginit \{[^]*c2 -> c1 \[label="Deal[^]*c5 -> c4[^]*\}\n$/);

  // A follower sees the log of both instances, and another waits for a component that is not there.
  const following = await follow('buyer');
  const waiting = await follow('late');
  const before = await rowOf('init -> buyer');
  expect((await ginit('kill', 'buyer')).code).toBe(0);
  const deal = { label: 'init -> buyer', text: 'a deal' };
  await until(() => following.heard.length === 2);
  expect(following.heard).toEqual([deal, deal]);
  expect((await ginit('wait', 'buyer', '--timeout', '50s')).code).toBe(0);
  const after = await rowOf('init -> buyer');
  expect([before?.restarts, after?.restarts, after?.thread === before?.thread]).toEqual([0, 1, false]);

  const inner = await rowOf('init -> sub -> inner');
  expect((await ginit('restart', 'sub -> inner')).code).toBe(0);
  expect(await ginit('wait', '--timeout', '30s')).toMatchObject({ code: 0, stderr: '' });
  const innerAfter = await rowOf('init -> sub -> inner');
  expect(innerAfter?.state).toBe('running');
  expect(innerAfter?.pid).not.toBe(inner?.pid);
  const log = await ginit('log', 'sub');
  expect(log.lines.filter((line) => line === '[init -> sub -> inner] a deal')).toHaveLength(2);

  // Only the outer init has a parent that takes reports.
  for (const wanted of ['buyer', 'init -> buyer -> mood'])
    expect(await ginit('report', wanted)).toMatchObject({ code: 0, stdout: '<mood is="good"/>\n' });
  expect((await ginit('report', 'inner')).stderr).toBe(
    'ginit: there is no report "inner" (there are init -> buyer -> mood)\n',
  );

  for (const words of [
    ['ps'],
    ['graph'],
    ['log', 'buyer'],
    ['report', 'buyer'],
    ['wait'],
    ['plan', place.path('next.xml')],
    ['restart', 'sub -> inner'],
    ['kill', 'buyer'],
  ]) {
    const { code, lines } = await ginit(...words, '--json');
    expect([words, code, lines.length > 0]).toEqual([words, 0, true]);
    for (const line of lines) expect(typeof JSON.parse(line)).toBe('object');
  }

  // The component that somebody waits for comes with a new config.
  expect(waiting.heard).toEqual([]);
  const more = '<start name="late"> <binary name="./buyer.mjs"/> </start>';
  place.write('shop.xml', shop(STARTS + more));
  await until(() => waiting.heard.length === 1);
  expect(waiting.heard).toEqual([{ label: 'init -> late', text: 'a deal' }]);
  for (const { end } of [following, waiting]) expect(await end()).toMatchObject({ code: 'CANCELLED' });
  expect(await ginit('kill', 'init')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('root init'),
  });
  expect(await ginit('log', 'nobody')).toMatchObject({
    code: 1,
    stderr: 'ginit: there is no component "nobody"\n',
  });
  expect(await ginit('ps', '--wrong')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('try "ginit help ps"'),
  });
  const absent = await ginit('wait', 'ghost', '--timeout', '300ms');
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
  const ps = await ginit('ps');
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
  expect((await ginit('wait', '--system', 'brief', '--timeout', '50s')).code).toBe(0);
  short.child.kill('SIGTERM');
  expect((await short.finished).code).toBe(0);
  expect(existsSync(join(sockets, 'brief.sock'))).toBe(false);
});
