/** `ginit trace` and `ginit metrics` on a running system. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CORE_URL, type GinitRun, Workplace } from '../harness/ginit.ts';

const DECLARED = `import { component, integer, rpc, session } from '${CORE_URL}';
const Adder = session('Adder', { add: rpc({ args: [integer()], result: integer() }) });
`;
const ADDER = `${DECLARED}
export default component({ provides: [Adder] }, (env) => {
  env.provide(Adder, () => ({
    add: async (number) => {
      if (number % 4 === 3) await env.timer.sleep(20);
      env.checkpoint('adding', number);
      return number + 1;
    },
  }));
});`;
const CALLER = `${DECLARED}
export default component({ requires: [Adder] }, async (env) => {
  const adder = await env.connect(Adder);
  await env.log('calling');
  for (let number = 0; ; number++) {
    await adder.add(number);
    await env.timer.sleep(5);
  }
});`;
const CONFIG = `<config>
  <parent-provides>
    <service name="ROM"/> <service name="LOG"/> <service name="PD"/> <service name="CPU"/> <service name="Timer"/>
  </parent-provides>
  <default-route> <any-service> <parent/> <any-child/> </any-service> </default-route>
  <default caps="200" ram="4M"/>
  <start name="adder" isolation="process">
    <binary name="./adder.mjs"/> <provides> <service name="Adder"/> </provides>
  </start>
  <start name="caller"> <binary name="./caller.mjs"/> </start>
</config>`;

let place: Workplace;
let system: GinitRun;
const NAME = ['--system', 'traced'];

beforeAll(async () => {
  place = new Workplace();
  place.write('adder.mjs', ADDER);
  place.write('caller.mjs', CALLER);
  place.write('traced.xml', CONFIG);
  system = place.start(...NAME, 'traced.xml');
  await system.until('calling');
});
afterAll(async () => {
  system.child.kill('SIGTERM');
  await system.finished;
  place[Symbol.dispose]();
});

const trace = (...args: readonly string[]) => place.run('trace', ...NAME, '--duration', '800ms', ...args);

test('shows events as they come, of the components that are named', async () => {
  const { code, stdout, stderr } = await trace('adder', '--policy', 'rpc_args,checkpoint');
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/^\d+\.\d{6} \[init -> adder\] rpc_dispatch Adder\.add\(\d+\) <- /m);
  expect(stdout).toMatch(/^\d+\.\d{6} \[init -> adder\] checkpoint adding \d+$/m);
  expect(stdout).not.toContain('[init -> caller] ');
});

test('a picture for Perfetto: slices at both ends, and arrows whose end is not before their begin', async () => {
  const { code, stderr } = await trace('adder', 'caller', '--perfetto', 'out.json');
  expect([code, stderr]).toEqual([0, '']);
  const { traceEvents } = JSON.parse(place.read('out.json')) as {
    traceEvents: {
      ph: string;
      id: number;
      pid: number;
      tid: number;
      ts: number;
      name: string;
      cat: string;
    }[];
  };
  const of = (ph: string) => traceEvents.filter((event) => event.ph === ph);
  expect(of('M').map(({ name }) => name)).toContain('process_name');
  const names = new Set(of('X').map(({ cat, name }) => `${cat} ${name}`));
  expect([...names]).toEqual(expect.arrayContaining(['client Adder.add', 'server Adder.add']));
  const starts = new Map(of('s').map((event) => [event.id, event]));
  expect(starts.size).toBeGreaterThan(5);
  expect(of('f').map(({ id }) => id)).toEqual([...starts.keys()]);
  for (const finish of of('f')) {
    const start = starts.get(finish.id);
    expect(finish.pid).not.toBe(start?.pid);
    expect(finish.ts).toBeGreaterThanOrEqual(start?.ts ?? Number.NaN);
  }
});

test('a summary: which operation takes how long', async () => {
  const { code, stdout } = await trace('--summary', '--json', 'adder', 'caller');
  expect(code).toBe(0);
  const rows = JSON.parse(stdout) as {
    component: string;
    end: string;
    name: string;
    count: number;
    mostUs: number;
  }[];
  const row = rows.find(({ component, name }) => component === 'init -> adder' && name === 'Adder.add');
  expect(row?.end).toBe('server');
  expect(row?.count).toBeGreaterThan(5);
  // Every fourth call sleeps.
  expect(row?.mostUs).toBeGreaterThan(19_000);
  const { stdout: table } = await trace('--summary', 'adder');
  expect(table).toMatch(/init -> adder\s+server\s+Adder\.add/);
});

test('spans for a collector of OpenTelemetry: the server is a child of the client', async () => {
  interface Span {
    readonly traceId: string;
    readonly spanId: string;
    readonly parentSpanId?: string;
    readonly name: string;
    readonly kind: number;
    readonly startTimeUnixNano: string;
  }
  const spans: Span[] = [];
  const collector = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (piece: string) => (body += piece));
    request.on('end', () => {
      for (const { scopeSpans } of JSON.parse(body).resourceSpans) spans.push(...scopeSpans[0].spans);
      response.end('{}');
    });
  });
  await new Promise<void>((resolve) => void collector.listen(0, '127.0.0.1', resolve));
  const { port } = collector.address() as AddressInfo;
  const { code, stderr } = await trace('adder', 'caller', '--otlp', `http://127.0.0.1:${port}/v1/traces`);
  await new Promise((resolve) => collector.close(resolve));
  expect([code, stderr]).toEqual([0, '']);
  const clients = new Map(spans.filter(({ kind }) => kind === 3).map((span) => [span.spanId, span]));
  const servers = spans.filter(({ kind, parentSpanId = '' }) => kind === 2 && clients.has(parentSpanId));
  expect(servers.length).toBeGreaterThan(5);
  for (const server of servers) {
    const client = clients.get(server.parentSpanId ?? '');
    expect(server.traceId).toBe(client?.traceId);
    expect(server.traceId).toMatch(/^[0-9a-f]{32}$/);
    expect(server.spanId).toMatch(/^[0-9a-f]{16}$/);
    expect(BigInt(server.startTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(client?.startTimeUnixNano ?? '0'));
  }
  expect(new Set(spans.map(({ spanId, kind }) => `${spanId} ${kind}`)).size).toBe(spans.length);
  const aboutNow = Number(BigInt(servers[0]?.startTimeUnixNano ?? '0') / 1_000_000n);
  expect(Math.abs(aboutNow - Date.now())).toBeLessThan(60_000);
});

test('a policy of ones own that fails is told, and the system goes on', async () => {
  place.write('bad.mjs', 'export default { rpcDispatch: () => { throw new Error("mine"); } };');
  const { code, stderr } = await trace('adder', '--policy', './bad.mjs');
  expect(code).toBe(1);
  expect(stderr).toContain('init -> adder is not traced: rpc_dispatch throws: mine');
  const { stdout } = await trace('adder');
  expect(stdout).toContain('rpc_reply Adder.add');
});

test('metrics as OpenMetrics has them', async () => {
  const { code, stdout } = await place.run('metrics', ...NAME);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^ginit_component_up\{system="traced",component="init -> adder"\} 1$/m);
  expect(stdout).toMatch(/^ginit_calls_total\{system="traced",component="init -> adder"\} [1-9]\d*$/m);
  expect(stdout).toMatch(/^# TYPE ginit_ram_used_bytes gauge\n# UNIT ginit_ram_used_bytes bytes$/m);
  expect(stdout.trimEnd().endsWith('# EOF')).toBe(true);
});

test.each([
  [['--policy', 'rpc_nome'], /--policy rpc_nome: no policy "rpc_nome"/],
  [['--policy', './nowhere.mjs'], /--policy \.\/nowhere\.mjs: ENOENT/],
  [['--otlp', 'nowhere'], /--otlp nowhere: not a URL/],
  [['--buffer', 'much'], /--buffer much: not a size/],
])('a wrong command line %j has one clear message', async (args, message) => {
  const { code, stderr } = await place.run('trace', ...args);
  expect(code).toBe(2);
  expect(stderr).toMatch(message);
});
