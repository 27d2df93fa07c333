/**
 * Tests synchronous calls: a thread sleeps until the answer is there, beside neighbours in threads
 * and in processes.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { CORE_URL, type FinishedRun, systemConfig, Workplace } from '../harness/ginit.ts';

let place: Workplace;
afterEach(() => place[Symbol.dispose]());

const PRELUDE = `import { capability, component, nothing, rpc, rpcInterface, session, text, u32 } from '${CORE_URL}';
const Tool = rpcInterface('Tool', { use: rpc({ args: [u32], result: u32 }) });
const Desk = session('Desk', {
  add: rpc({ args: [u32, u32], result: u32 }),
  later: rpc({ args: [u32], result: u32 }),
  never: rpc({ args: [], result: u32 }),
  fail: rpc({ args: [], result: u32 }),
  spin: rpc({ args: [], result: nothing }),
  tool: rpc({ args: [], result: capability(Tool) }),
  through: rpc({ args: [capability(Tool), u32], result: u32 }),
  around: rpc({ args: [capability(Tool)], result: text() }),
}, { errors: ['Broken'] });
const codeOf = (use) => { try { return use(); } catch (error) { return error.code ?? String(error); } };
`;

const DESK = `export default component({ provides: [Desk] }, (env) => {
  env.provide(Desk, () => ({
    add: (a, b) => a + b,
    later: async (value) => { await env.timer.sleep(30); return value + 1; },
    never: () => new Promise(() => {}),
    fail: () => { throw Object.assign(new Error('x'), { code: 'Broken' }); },
    spin: () => { for (;;); },
    tool: () => env.capability(Tool, { use: (value) => value * 3 }),
    through: (tool, value) => env.synchronous(Tool, tool, { timeoutMs: 20_000 }).use(value),
    around: async (tool) => String(await tool.use(4)),
  }));
});`;

/** Runs a client against a desk; the result is what it logged. */
async function run(isolation: string, client: string, desk = DESK): Promise<FinishedRun> {
  place = new Workplace();
  place.write('desk.mjs', PRELUDE + desk);
  place.write(
    'client.mjs',
    `${PRELUDE}export default component({ requires: [Desk] }, async (env) => {
      const desk = await env.connect(Desk);
      const now = env.synchronous(Desk, desk, { timeoutMs: 20_000 });
      const say = (text) => env.log(String(text));
      ${client}
      env.exit(0);
    });`,
  );
  place.write(
    'config.xml',
    systemConfig(`
  <start name="desk" isolation="${isolation}"> <binary name="./desk.mjs"/> <provides> <service name="Desk"/> </provides> </start>
  <start name="client"> <binary name="./client.mjs"/> <exit propagate="yes"/> </start>`),
  );
  return place.run('config.xml');
}

describe.each(['thread', 'process'])('with a server that is a %s', (isolation) => {
  test('results, errors, capabilities and late answers come as with other calls', async () => {
    const { code, lines } = await run(
      isolation,
      `let sum = 0;
      for (let turn = 0; turn < 1000; turn++) sum = now.add(sum, turn);
      say('sum ' + sum);
      say('later ' + now.later(41));
      say('fail ' + codeOf(() => now.fail()));
      say('misfit ' + codeOf(() => now.add(-1, 0)));
      const tool = now.tool();
      say('tool ' + env.synchronous(Tool, tool, { timeoutMs: 1000 }).use(14));
      tool[Symbol.dispose]();
      say('released ' + codeOf(() => env.synchronous(Tool, tool, { timeoutMs: 1000 }).use(1)));`,
    );
    expect(code).toBe(0);
    for (const line of ['sum 499500', 'later 42', 'fail InternalError', 'misfit InvalidArgument', 'tool 42'])
      expect(lines).toContain(`[init -> client] ${line}`);
    expect(lines).toContain('[init -> client] released Revoked');
  });

  test('a call that is not answered ends at its deadline, and the channel goes on', async () => {
    const { code, lines } = await run(
      isolation,
      `const soon = env.synchronous(Desk, desk, { timeoutMs: 50 });
      say('never ' + codeOf(() => soon.never()));
      say('late ' + codeOf(() => env.synchronous(Desk, desk, { timeoutMs: 5 }).later(1)));
      await env.timer.sleep(60);
      say('after ' + now.add(1, 1));`,
    );
    expect(code).toBe(0);
    for (const line of ['never TimedOut', 'late TimedOut', 'after 2'])
      expect(lines).toContain(`[init -> client] ${line}`);
  });

  test('requests of peers wait during a synchronous call, and are answered afterwards in their order', async () => {
    const { code, lines } = await run(
      isolation,
      `const seen = [];
      const tool = env.capability(Tool, { use: (value) => { seen.push(value); return value; } });
      const pending = desk.around(tool);
      say('during ' + now.later(1) + ' ' + seen.length);
      say('then ' + (await pending) + ' ' + seen.join());`,
    );
    expect(code).toBe(0);
    expect(lines).toContain('[init -> client] during 2 0');
    expect(lines).toContain('[init -> client] then 4 4');
  });

  test('a circle of synchronous calls ends with WouldDeadlock for the one that closes it', async () => {
    const { code, lines } = await run(
      isolation,
      `const tool = env.capability(Tool, { use: (value) => value });
      say('circle ' + codeOf(() => now.through(tool, 1)));
      // If we had told the supervisor last, the desk would still be waiting for us.
      await env.timer.sleep(50);
      say('still ' + now.add(2, 2));
      say('alone ' + codeOf(() => env.synchronous(Tool, tool, { timeoutMs: 1000 }).use(5)));
      const slow = env.capability(Tool, { use: async (value) => value });
      say('own ' + codeOf(() => env.synchronous(Tool, slow, { timeoutMs: 1000 }).use(5)));`,
    );
    expect(code).toBe(0);
    for (const line of ['circle WouldDeadlock', 'still 4', 'alone 5', 'own WouldDeadlock'])
      expect(lines).toContain(`[init -> client] ${line}`);
  });

  test('a callee that dies ends the call with PeerGone', async () => {
    const { code, lines } = await run(
      isolation,
      `say('gone ' + codeOf(() => now.spin()));`,
      `export default component({ provides: [Desk] }, (env) => {
        env.provide(Desk, () => ({ spin: () => { queueMicrotask(() => { throw new Error('dies'); }); return new Promise(() => {}); } }));
      });`,
    );
    expect(code).toBe(0);
    expect(lines).toContain('[init -> client] gone PeerGone');
  });
});

test('a circle of synchronous calls through three components is found, too', async () => {
  place = new Workplace();
  // Each waits for the next one in a handler, so the three sleep at the same time.
  place.write(
    'ring.mjs',
    `${PRELUDE}
    const Ring = session('Ring', { go: rpc({ args: [u32], result: text() }) });
    export default component({ provides: [Ring], requires: [Ring] }, async (env) => {
      const name = env.config.node.value('name');
      let next;
      env.provide(Ring, () => ({
        go: (hops) => {
          const outcome = codeOf(() => env.synchronous(Ring, next, { timeoutMs: 20_000 }).go(hops + 1));
          return outcome + ' ' + hops;
        },
      }));
      next = await env.connect(Ring, { label: 'next' });
      if (name !== 'a') return;
      await env.timer.sleep(200);
      env.log('ends ' + codeOf(() => env.synchronous(Ring, next, { timeoutMs: 20_000 }).go(1)));
      env.exit(0);
    });`,
  );
  const node = (name: string, next: string): string => `
  <start name="${name}"> <binary name="./ring.mjs"/> <provides> <service name="Ring"/> </provides>
    ${name === 'a' ? '<exit propagate="yes"/>' : ''} <config name="${name}"/>
    <route> <service name="Ring"> <child name="${next}"/> </service> <any-service> <parent/> </any-service> </route> </start>`;
  place.write('config.xml', systemConfig(node('a', 'b') + node('b', 'c') + node('c', 'a')));
  const { code, lines } = await place.run('config.xml');
  expect(code).toBe(0);
  // The component that tells the supervisor last is refused; the others get an answer.
  expect(lines.filter((line) => /^\[init -> a\] ends WouldDeadlock( 2 1| 1|)$/.test(line))).toHaveLength(1);
});
