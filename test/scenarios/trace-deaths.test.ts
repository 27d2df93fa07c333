/** Subjects and tracers in processes of their own that are killed while one traces the other. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CORE_URL, type GinitRun, Workplace } from '../harness/ginit.ts';
import { allLongIf } from '../harness/long.ts';

const DECLARED = `import { component, integer, rpc, session } from '${CORE_URL}';
const Adder = session('Adder', { add: rpc({ args: [integer()], result: integer() }) });
`;
const ADDER = `${DECLARED}
export default component({ provides: [Adder] }, (env) => {
  env.provide(Adder, () => ({ add: (number) => (env.checkpoint('adding', number), number + 1) }));
});`;
const CALLER = `${DECLARED}
export default component({ requires: [Adder] }, async (env) => {
  const adder = await env.connect(Adder);
  for (let number = 1; ; number++) {
    await adder.add(number);
    if (number % 50 === 0) await env.log('called ' + number);
    await env.timer.sleep(2);
  }
});`;
const TRACER = `import { component } from '${CORE_URL}';
import { Trace, TraceBuffer } from '${CORE_URL}/trace';
export default component({ requires: [Trace] }, async (env) => {
  const trace = await env.connect(Trace, { ram: 64 * 1024 });
  const find = async () => (await trace.subjects()).find(({ label }) => label === 'init -> adder');
  let subject;
  while (!(subject = await find())) await env.timer.sleep(10);
  const buffer = await TraceBuffer.allocate(env, 64 * 1024);
  await trace.trace(subject.id, await trace.allocPolicy('checkpoint'), 64 * 1024, buffer.sink);
  let seen = 0;
  while (seen === 0) {
    seen += buffer.read().events.length;
    await env.timer.sleep(10);
  }
  await env.log('tracing');
  for (;;) {
    const now = (await trace.subjects()).find(({ id }) => id === subject.id);
    if (now.state === 'dead') break;
    await env.timer.sleep(10);
  }
  const { events, lost } = buffer.read();
  await env.log('dead, with ' + (events.length + lost > 0 ? 'events' : 'nothing') + ' left');
  await trace.free(subject.id);
  const gone = (await trace.subjects()).every(({ id }) => id !== subject.id);
  await env.log('freed: ' + gone);
});`;

const configOf = (isolation: string): string => `<config>
  <parent-provides>
    <service name="ROM"/> <service name="LOG"/> <service name="PD"/> <service name="CPU"/>
    <service name="Timer"/> <service name="TRACE"/>
  </parent-provides>
  <default-route> <any-service> <parent/> <any-child/> </any-service> </default-route>
  <default caps="200" ram="4M"/>
  <start name="adder" isolation="${isolation}">
    <binary name="./adder.mjs"/> <provides> <service name="Adder"/> </provides>
  </start>
  <start name="caller"> <binary name="./caller.mjs"/> </start>
  <start name="tracer" isolation="${isolation}">
    <binary name="./tracer.mjs"/>
    <route>
      <service name="TRACE"> <parent label=""/> </service>
      <any-service> <parent/> <any-child/> </any-service>
    </route>
  </start>
</config>`;

let place: Workplace;
let system: GinitRun | undefined;
beforeEach(() => {
  place = new Workplace();
  place.write('adder.mjs', ADDER);
  place.write('caller.mjs', CALLER);
  place.write('tracer.mjs', TRACER);
});
afterEach(async () => {
  system?.child.kill('SIGTERM');
  await system?.finished;
  place[Symbol.dispose]();
});

async function started(isolation: string): Promise<{ readonly run: GinitRun; readonly name: string[] }> {
  const name = ['--system', `deaths-${isolation}-${process.pid}`];
  place.write('deaths.xml', configOf(isolation));
  system = place.start(...name, 'deaths.xml');
  await system.until('tracing');
  return { run: system, name };
}

/** Threads of one process share memory anyway; processes are the main proof. */
const PLACES = [
  ['process', false],
  ['thread', true],
] as const;
const PATIENCE = { timeout: 30_000 };

describe.each(PLACES)('in a %s', (isolation, long) => {
  allLongIf(long);

  test('a tracer that is killed lets go of its subject, which goes on', async () => {
    const { run, name } = await started(isolation);
    const foreign = await place.run('trace', ...name, 'adder', '--duration', '300ms');
    expect(foreign.stderr).toContain('init -> adder is not traced: init -> adder is traced by another');
    expect((await place.run('kill', ...name, 'tracer')).code).toBe(0);
    const called = run.stdout.split('called').length;
    await expect.poll(() => run.stdout.split('called').length, PATIENCE).toBeGreaterThan(called + 2);
    await expect
      .poll(async () => (await place.run('trace', ...name, 'adder', '--duration', '300ms')).stdout, PATIENCE)
      .toContain('rpc_dispatch Adder.add');
    expect(run.stdout).not.toContain('crashed');
  });

  test('a subject that is killed leaves its events to the tracer', async () => {
    const { run, name } = await started(isolation);
    expect((await place.run('kill', ...name, 'adder')).code).toBe(0);
    await run.until('freed: ');
    expect(run.stdout).toContain('[init -> tracer] dead, with events left');
    expect(run.stdout).toContain('[init -> tracer] freed: true');
  });
});
