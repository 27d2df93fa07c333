/** TRACE: a tracer sees what passes in other components, and hurts nobody but itself. */
import { component, type Env, hasCode, integer, nothing, rpc, session, text } from '@ginit/core';
import { type TracedEvents, Trace, TraceBuffer, type TraceEvent, type TraceSubject } from '@ginit/core/trace';
import { expect, test } from 'vitest';
import { type CarrierKind, type FinishedSystem, runSystem } from '../harness/in-process-system.ts';

const KINDS: readonly CarrierKind[] = ['shared', 'copying', 'tiny rings', 'bus'];
const BUFFER_BYTES = 64 * 1024;

const Adder = session('Adder', {
  add: rpc<(one: number, other: number) => number>({ args: [integer(), integer()], result: integer() }),
  fail: rpc<() => void>({ args: [], result: nothing }),
});
const Front = session('Front', {
  sum: rpc<(what: string) => number>({ args: [text(1000)], result: integer() }),
});

/** At the far end of two calls. */
const adder = component({ provides: [Adder] }, (env) => {
  env.provide(Adder, () => ({
    add: (one, other) => {
      env.checkpoint('adding', one + other);
      return one + other;
    },
    fail: () => {
      throw new TypeError('as it should');
    },
  }));
});

/** In the middle: each call of it makes another one, after an await. */
const front = component({ provides: [Front], requires: [Adder] }, async (env) => {
  const other = await env.connect(Adder);
  env.provide(Front, () => ({
    sum: async (what) => {
      await env.log(`asked for ${what}`);
      return other.add(what.length, 1);
    },
  }));
});

type TracerWork = (env: Env, tracer: Tracer) => Promise<void>;

/** What the tracers of these tests work with. */
class Tracer {
  readonly trace;
  readonly #env: Env;

  constructor(env: Env, trace: Awaited<ReturnType<typeof openTrace>>) {
    this.#env = env;
    this.trace = trace;
  }

  async subject(name: string): Promise<TraceSubject> {
    for (;;) {
      const found = (await this.trace.subjects()).find(({ label }) => label.endsWith(` -> ${name}`));
      if (found) return found;
      await new Promise((resolve) => this.#env.timer.after(5, () => resolve(undefined)));
    }
  }

  async begin(name: string, policy: string, bytes = BUFFER_BYTES): Promise<TraceBuffer> {
    const { id } = await this.subject(name);
    const buffer = await TraceBuffer.allocate(this.#env, bytes);
    await this.trace.trace(id, await this.trace.allocPolicy(policy), bytes, buffer.sink);
    return buffer;
  }
}

const openTrace = (env: Env) => env.connect(Trace, { ram: 64 * 1024 });

const tracer = (work: TracerWork) =>
  component({ requires: [Trace, Front, Adder] }, async (env) => {
    await work(env, new Tracer(env, await openTrace(env)));
    env.exit(0);
  });

const STARTS = `
  <start name="adder" caps="200"> <provides> <service name="Adder"/> </provides> </start>
  <start name="front" caps="200"> <provides> <service name="Front"/> </provides> </start>`;
const TRACER = `
  <start name="tracer" caps="300" ram="8M"> <exit propagate="yes"/>
    <route>
      <service name="TRACE"> <parent label=""/> </service>
      <any-service> <parent/> <any-child/> </any-service>
    </route>
  </start>`;

async function run(kind: CarrierKind, work: TracerWork): Promise<FinishedSystem> {
  const finished = await runSystem(kind, { adder, front, tracer: tracer(work) }, STARTS + TRACER);
  expect(finished.end, [...finished.lines, ...finished.complaints].join('\n')).toEqual({
    kind: 'exit',
    code: 0,
  });
  return finished;
}

const decoder = new TextDecoder();
const shown = ({ hook, content, failed }: TraceEvent): string =>
  `${hook} ${decoder.decode(content)}${failed ? ' failed' : ''}`;

/** Reads until there are so many events; where memory is not shared they come a little later. */
async function eventsOf(env: Env, buffer: TraceBuffer, count: number): Promise<TracedEvents> {
  const events: TraceEvent[] = [];
  let lost = 0;
  for (let tries = 0; events.length < count && tries < 400; tries++) {
    const read = buffer.read();
    events.push(...read.events);
    lost += read.lost;
    await pause(env);
  }
  return { events, lost };
}

const pause = (env: Env): Promise<void> => new Promise((resolve) => void env.timer.after(5, () => resolve()));

test.each(KINDS)('a call through three components is one trace, over %s', async (kind) => {
  await run(kind, async (env, by) => {
    const client = await env.connect(Front);
    const buffers = [
      await by.begin('tracer', 'rpc_name'),
      await by.begin('front', 'rpc_name'),
      await by.begin('adder', 'rpc_args checkpoint'),
    ] as const;
    expect(await client.sum('four')).toBe(5);
    const [own, middle, far] = await Promise.all([
      eventsOf(env, buffers[0], 2),
      eventsOf(env, buffers[1], 6),
      eventsOf(env, buffers[2], 3),
    ]);
    const call = own.events.find((event) => shown(event) === 'rpc_call Front.sum');
    const within = middle.events.filter((event) => shown(event).includes('Front.sum'));
    const onward = middle.events.find((event) => shown(event) === 'rpc_call Adder.add');
    expect(within.map(shown)).toEqual(['rpc_dispatch Front.sum', 'rpc_reply Front.sum']);
    expect(far.events.map(shown)).toEqual([
      'rpc_dispatch Adder.add(4, 1)',
      'checkpoint adding 5',
      'rpc_reply Adder.add = 5',
    ]);
    // One trace; the inner call was made from the outer one, although an await lies between them.
    expect(within[0]?.context?.span).toEqual(call?.context?.span);
    expect(onward?.context?.trace).toEqual(call?.context?.trace);
    expect(onward?.context?.parent).toEqual(call?.context?.span);
    for (const event of far.events) expect(event.context?.trace).toEqual(call?.context?.trace);
    expect(far.events[0]?.context?.span).toEqual(onward?.context?.span);
    // No child before its parent.
    const times = [call, within[0], onward, far.events[0], far.events[2], within[1]];
    const inOrder = times.map((event) => event?.timeUs ?? Number.NaN);
    expect(inOrder).toEqual(inOrder.toSorted((one, other) => one - other));
    expect(call?.bytes).toBeGreaterThan(4);
  });
});

test.each(KINDS)('policies are swapped while it runs, over %s', async (kind) => {
  await run(kind, async (env, by) => {
    const client = await env.connect(Adder);
    const first = await by.begin('adder', 'checkpoint');
    await client.add(1, 2);
    expect((await eventsOf(env, first, 1)).events.map(shown)).toEqual(['checkpoint adding 3']);
    const second = await by.begin(
      'adder',
      `// Counts what it sees.
let seen = 0;
export default {
  rpcDispatch: (call) => \`\${++seen}: \${call.name} of \${call.args.length}\`,
};`,
    );
    await client.add(3, 4);
    await client.add(3, 4);
    expect((await eventsOf(env, second, 2)).events.map(shown)).toEqual([
      'rpc_dispatch 1: Adder.add of 2',
      'rpc_dispatch 2: Adder.add of 2',
    ]);
    expect(first.read()).toEqual({ events: [], lost: 0 });
    await by.trace.pause((await by.subject('adder')).id);
    await client.add(5, 6);
    await by.trace.resume((await by.subject('adder')).id);
    await client.add(5, 6);
    expect((await eventsOf(env, second, 1)).events.map(shown)).toEqual(['rpc_dispatch 3: Adder.add of 2']);
    await by.trace.free((await by.subject('adder')).id);
    await client.add(7, 8);
    await pause(env);
    expect(second.read()).toEqual({ events: [], lost: 0 });
    expect((await by.subject('adder')).state).toBe('untraced');
  });
});

test.each(KINDS)('a buffer that wraps says how many events are lost, over %s', async (kind) => {
  await run(kind, async (env, by) => {
    const client = await env.connect(Adder);
    const buffer = await by.begin('adder', 'checkpoint', 4096);
    const calls = 200;
    let seen = 0;
    let lost = 0;
    // All at once: where events travel in messages, these are sent while the calls are served.
    await Promise.all(Array.from({ length: calls }, (_, index) => client.add(index, 1)));
    for (let tries = 0; tries < 400 && seen + lost < calls; tries++) {
      const { events, lost: missing } = buffer.read();
      seen += events.length;
      lost += missing;
      await pause(env);
    }
    expect(seen + lost).toBe(calls);
    expect(seen).toBeGreaterThan(0);
    expect(lost).toBeGreaterThan(kind === 'shared' ? 100 : 0);
  });
});

const BROKEN = [
  ['throws', 'export default { rpcDispatch: () => { throw new Error("mine"); } };', /throws: mine/],
  ['writes too much', 'export default { rpcDispatch: () => "x".repeat(257) };', /writes too much/],
  ['writes nonsense', 'export default { rpcDispatch: () => 7 };', /neither text nor bytes/],
] as const;

test.each(BROKEN)('a policy that %s hurts its own trace only', async (_, policy, reason) => {
  await run('shared', async (env, by) => {
    const client = await env.connect(Adder);
    const other = await env.connect(Front);
    const sound = await by.begin('front', 'rpc_name');
    const broken = await by.begin('adder', policy);
    expect(await client.add(1, 2)).toBe(3);
    expect(await other.sum('ab')).toBe(3);
    await pause(env);
    const { state, reason: why = '' } = await by.subject('adder');
    expect(state).toBe('error');
    expect(why).toMatch(reason);
    expect(broken.read().events).toEqual([]);
    expect(sound.read().events.length).toBe(6);
    // It can be traced anew.
    const again = await by.begin('adder', 'rpc_name');
    await client.add(1, 2);
    expect((await eventsOf(env, again, 2)).events.length).toBe(2);
  });
});

const REFUSED = [
  ['an import', "import 'node:fs';\nexport default {};", /line 1: a policy must do without "import"/],
  ['a clock', 'export default { rpcCall: () => String(Date.now()) };', /without "Date"/],
  ['no export', 'const a = 1;', /one line must begin with "export default", none do/],
  ['a syntax error', 'export default {', /SyntaxError/],
  ['an unknown hook', 'export default { rpcCalled() {} };', /no hook has a function "rpcCalled"/],
  ['an unknown name', 'rpc_nome', /no policy "rpc_nome": there are null, rpc_name/],
  ['a number', 'export default 5;', /no object with functions/],
] as const;

test.each(REFUSED)('a policy with %s is refused', async (_, policy, reason) => {
  await run('shared', async (__, by) => {
    const refused = await by.trace.allocPolicy(policy).catch((error: unknown) => error);
    expect(hasCode(refused, 'INVALID_POLICY')).toBe(true);
    expect(String(refused)).toMatch(reason);
  });
});

test('quota: buffers are paid by the tracer, policies and subjects by the session', async () => {
  await run('shared', async (env, by) => {
    const quota = await env.quota();
    const large = await TraceBuffer.allocate(env, 16 * 2 ** 20).catch((error: unknown) => error);
    expect(hasCode(large, 'OUT_OF_RAM')).toBe(true);
    const source = `export default {}; //${' '.repeat(20_000)}`;
    const policy = await by.trace.allocPolicy(source);
    const second = await by.trace.allocPolicy(source).catch((error: unknown) => error);
    expect(hasCode(second, 'OUT_OF_RAM')).toBe(true);
    await by.trace.unloadPolicy(policy);
    await by.trace.allocPolicy(source);
    await env.upgrade(by.trace, { ram: 64 * 1024, caps: 0 });
    await by.trace.allocPolicy(source);
    const { ramUsed } = await env.quota();
    expect(ramUsed - quota.ramUsed).toBeLessThanOrEqual(64 * 1024);
  });
});

test('a subject that dies while it is traced stays with its events until it is freed', async () => {
  const dying = component({ provides: [Adder] }, (env) => {
    env.provide(Adder, () => ({
      add: (one, other) => {
        env.checkpoint('last words');
        if (other === 0) throw new Error('never seen');
        return one + other;
      },
      fail: () => {
        env.exit(0);
      },
    }));
  });
  const watching = tracer(async (env, by) => {
    const client = await env.connect(Adder);
    const buffer = await by.begin('dying', 'checkpoint');
    const { id } = await by.subject('dying');
    await client.add(1, 2);
    await client.fail().catch(() => {});
    for (let tries = 0; tries < 400; tries++) {
      const now = (await by.trace.subjects()).find((one) => one.id === id);
      if (now?.state === 'dead') break;
      await pause(env);
    }
    expect((await by.trace.subjects()).find((one) => one.id === id)?.state).toBe('dead');
    expect(buffer.read().events.map(shown)).toEqual(['checkpoint last words']);
    const again = await by.trace
      .trace(id, await by.trace.allocPolicy('null'), 4096, buffer.sink)
      .catch((error: unknown) => error);
    expect(hasCode(again, 'SOURCE_IS_DEAD')).toBe(true);
    await by.trace.free(id);
    expect((await by.trace.subjects()).some((one) => one.id === id)).toBe(false);
  });
  const { end, lines } = await runSystem(
    'shared',
    { dying, tracer: watching },
    `<start name="dying"> <provides> <service name="Adder"/> </provides> </start>${TRACER}`,
  );
  expect(end, lines.join('\n')).toEqual({ kind: 'exit', code: 0 });
});

test('a tracer that dies lets go of its subjects, and only its own label is seen by default', async () => {
  const first = component({ requires: [Trace] }, async (env) => {
    const by = new Tracer(env, await openTrace(env));
    await by.begin('adder', 'checkpoint');
    throw new Error('dies on purpose');
  });
  const narrow = component({ requires: [Trace] }, async (env) => {
    const trace = await env.connect(Trace);
    for (const { label } of await trace.subjects()) await env.log(`sees ${label}`);
  });
  const second = tracer(async (env, by) => {
    const client = await env.connect(Adder);
    const states = new Set<string>();
    for (let tries = 0; tries < 400; tries++) {
      const { state } = await by.subject('adder');
      states.add(state);
      if (state === 'foreign') {
        const mine = await by.begin('adder', 'null').catch((error: unknown) => error);
        expect(hasCode(mine, 'FOREIGN') || mine instanceof TraceBuffer).toBe(true);
      }
      if (states.has('foreign') && state === 'untraced') break;
      if (tries > 100 && state === 'untraced') break;
      await pause(env);
    }
    const buffer = await by.begin('adder', 'checkpoint');
    await client.add(1, 1);
    expect((await eventsOf(env, buffer, 1)).events.map(shown)).toEqual(['checkpoint adding 2']);
    await pause(env);
  });
  const scoped = `<route> <service name="TRACE"> <parent label=""/> </service>
    <any-service> <parent/> <any-child/> </any-service> </route>`;
  const { end, lines } = await runSystem(
    'shared',
    { adder, front, first, narrow, tracer: second },
    `${STARTS}<start name="first" caps="200">${scoped}</start><start name="narrow"/>${TRACER}`,
  );
  expect(end, lines.join('\n')).toEqual({ kind: 'exit', code: 0 });
  expect(lines.filter((line) => line.includes('sees'))).toEqual(['[init -> narrow] sees init -> narrow']);
});
