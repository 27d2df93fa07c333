/**
 * Tracing as users meet it: three components in threads and processes, one trace through all of
 * them; and a simulated run says the same, to the microsecond with the same seed.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CORE_URL, Workplace } from '../harness/ginit.ts';

const DECLARED = `import { component, integer, rpc, session } from '${CORE_URL}';
const Adder = session('Adder', { add: rpc({ args: [integer()], result: integer() }) });
const Front = session('Front', { ask: rpc({ args: [integer()], result: integer() }) });
`;

const ADDER = `${DECLARED}
export default component({ provides: [Adder] }, (env) => {
  env.provide(Adder, () => ({ add: (number) => (env.checkpoint('adding', number), number + 1) }));
});`;

const FRONT = `${DECLARED}
export default component({ provides: [Front], requires: [Adder] }, async (env) => {
  const adder = await env.connect(Adder);
  env.provide(Front, () => ({ ask: async (number) => (await adder.add(number)) * 2 }));
});`;

const TRACER = `${DECLARED}
import { Trace, TraceBuffer } from '${CORE_URL}/trace';
export default component({ requires: [Front, Trace] }, async (env) => {
  const front = await env.connect(Front);
  const trace = await env.connect(Trace, { ram: 64 * 1024 });
  const policy = await trace.allocPolicy('rpc_args checkpoint');
  const buffers = [];
  for (const name of ['tracer', 'front', 'adder']) {
    const subject = (await trace.subjects()).find(({ label }) => label === 'init -> ' + name);
    const buffer = await TraceBuffer.allocate(env, 64 * 1024);
    await trace.trace(subject.id, policy, 64 * 1024, buffer.sink);
    buffers.push([name, buffer]);
  }
  await env.log('answer ' + (await front.ask(20)));
  const events = buffers.flatMap(([name, buffer]) =>
    buffer.read().events.map((event) => ({ name, ...event, text: new TextDecoder().decode(event.content) })),
  );
  const ours = events.filter(({ text }) => /Front|Adder|adding/.test(text));
  const times = [];
  for (const { name, hook, text, context, timeUs } of ours.toSorted((a, b) => a.timeUs - b.timeUs)) {
    await env.log(name + ': ' + hook + ' ' + text);
    times.push(timeUs);
  }
  const traces = new Set(ours.map(({ context }) => context.trace.join('-')));
  await env.log('traces: ' + traces.size);
  if (env.config.node.value('times') === 'yes') await env.log('times: ' + times.join(' '));
  env.exit(0);
});`;

const EXPECTED = [
  '[init -> tracer] answer 42',
  '[init -> tracer] tracer: rpc_call Front.ask(20)',
  '[init -> tracer] front: rpc_dispatch Front.ask(20)',
  '[init -> tracer] front: rpc_call Adder.add(20)',
  '[init -> tracer] adder: rpc_dispatch Adder.add(20)',
  '[init -> tracer] adder: checkpoint adding 20',
  '[init -> tracer] adder: rpc_reply Adder.add = 21',
  '[init -> tracer] front: rpc_returned Adder.add = 21',
  '[init -> tracer] front: rpc_reply Front.ask = 42',
  '[init -> tracer] tracer: rpc_returned Front.ask = 42',
  '[init -> tracer] traces: 1',
];

const configOf = (isolation: string, times = 'no'): string => `<config>
  <parent-provides>
    <service name="ROM"/> <service name="LOG"/> <service name="PD"/> <service name="CPU"/>
    <service name="Timer"/> <service name="TRACE"/>
  </parent-provides>
  <default-route> <any-service> <parent/> <any-child/> </any-service> </default-route>
  <default caps="200" ram="4M"/>
  <start name="adder" isolation="${isolation}">
    <binary name="./adder.mjs"/> <provides> <service name="Adder"/> </provides>
  </start>
  <start name="front">
    <binary name="./front.mjs"/> <provides> <service name="Front"/> </provides>
  </start>
  <start name="tracer">
    <binary name="./tracer.mjs"/> <exit propagate="yes"/> <config times="${times}"/>
    <route>
      <service name="TRACE"> <parent label=""/> </service>
      <any-service> <parent/> <any-child/> </any-service>
    </route>
  </start>
</config>`;

let place: Workplace;
beforeAll(() => {
  place = new Workplace();
  place.write('adder.mjs', ADDER);
  place.write('front.mjs', FRONT);
  place.write('tracer.mjs', TRACER);
});
afterAll(() => place[Symbol.dispose]());

test.each(['thread', 'process', 'jail'])(
  'one trace through components, one of them a %s',
  async (isolation) => {
    place.write(`${isolation}.xml`, configOf(isolation));
    const { lines, stderr, code } = await place.run(`${isolation}.xml`);
    expect(
      lines.filter((line) => line.startsWith('[init -> tracer]')),
      stderr,
    ).toEqual(EXPECTED);
    expect(code).toBe(0);
  },
);

test('a simulated run says the same, with the same times for the same seed', async () => {
  place.write('simulated.xml', configOf('process', 'yes'));
  const runs = [];
  for (const seed of ['1', '1', '2']) {
    const { lines, stderr, code } = await place.simulate('--seed', seed, 'simulated.xml');
    expect(code, stderr).toBe(0);
    const own = lines.filter((line) => line.startsWith('[init -> tracer]'));
    expect(own.slice(0, EXPECTED.length), stderr).toEqual(EXPECTED);
    runs.push({ times: own.at(-1), state: /state [0-9a-f]{16}/.exec(stderr)?.[0] });
  }
  expect(runs[0]?.times).toMatch(/times: \d/);
  expect(runs[1]).toEqual(runs[0]);
  expect(runs[2]).not.toEqual(runs[0]);
});
