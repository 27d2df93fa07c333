/**
 * Tests children that cannot be started, crash too often, or have gone: they are reported, and no
 * other child is affected.
 */
import { component, hasCode, session } from '@ginit/core';
import { COSTS, sumOf } from '@ginit/core/system';
import { readInitConfig, Sandbox } from '@ginit/init';
import { expect, test } from 'vitest';
import { INIT_COST } from '../../packages/init/src/model/index.ts';
import { configOf, finish, runSystem, startSystem } from '../harness/in-process-system.ts';

const OUTLIVER = `<start name="client"> <exit propagate="yes"/> </start>`;
/** Ends the system when all of those lines are there. */
function outliver(lines: () => readonly string[], wanted: readonly (string | RegExp)[]) {
  return component({}, async (env) => {
    const said = (what: string | RegExp): boolean =>
      lines().some((line) => (typeof what === 'string' ? line.includes(what) : what.test(line)));
    while (!wanted.every(said)) await env.timer.sleep(10);
    env.exit(0);
  });
}
const idle = component({}, () => {});

test('a child with too little to be made or run is left out, by name and with the reason; the others run', async () => {
  const { ram, caps } = sumOf(INIT_COST, COSTS.thread);
  const cases = [
    [
      'ram-to-make',
      `ram="${INIT_COST.ram - 1}" caps="100"`,
      `not enough RAM quota (it has ${INIT_COST.ram - 1} bytes, and what is made for it costs ${INIT_COST.ram})`,
    ],
    [
      'caps-to-make',
      `ram="1M" caps="${INIT_COST.caps - 1}"`,
      `not enough capability quota (it has ${INIT_COST.caps - 1}, and what is made for it costs ${INIT_COST.caps})`,
    ],
    ['ram-to-run', `ram="${ram - 1}" caps="100"`, /not enough RAM quota \(.* bytes wanted, /],
    ['caps-to-run', `ram="1M" caps="${caps - 1}"`, /not enough capability quota \(.* caps wanted, /],
    ['too-rich', 'ram="10G" caps="100"', /not enough RAM quota \(\d+ bytes wanted, \d+ left\)/],
    ['too-many', 'ram="1M" caps="100000"', /not enough capability quota \(100000 caps wanted, \d+ left\)/],
  ] as const;
  const starts = cases.map(
    ([name, quota]) => `<start name="${name}" ${quota}> <binary name="idle"/> </start>`,
  );
  const system = startSystem(
    'shared',
    {
      idle,
      client: outliver(
        () => system.platform.lines,
        cases.map(([name]) => `child "${name}" cannot be started`),
      ),
    },
    `${starts.join('')} ${OUTLIVER}`,
  );
  const { end, lines } = await finish(system);
  expect(end).toEqual({ kind: 'exit', code: 0 });
  for (const [name, , reason] of cases) {
    const [line = '', ...more] = lines.filter((candidate) => candidate.includes(`"${name}"`));
    expect(more).toEqual([]);
    expect(line).toContain(`[init] Error: child "${name}" cannot be started: `);
    if (typeof reason === 'string') expect(line).toContain(reason);
    else expect(line).toMatch(reason);
  }
});

test('a child with enough quota runs and is stopped in order, without a complaint', async () => {
  const { end, lines, complaints } = await runSystem(
    'shared',
    { client: component({}, (env) => env.exit(0)) },
    `<start name="client" ram="1M" caps="${sumOf(INIT_COST, COSTS.thread, COSTS.threadObject).caps + 20}">
       <exit propagate="yes"/> </start>`,
  );
  expect(end, lines.join('\n')).toEqual({ kind: 'exit', code: 0 });
  expect(complaints).toEqual([]);
});

test('a child whose exit is to be propagated ends the system with 1 if it cannot be started', async () => {
  const { end } = await runSystem(
    'shared',
    { idle, client: idle },
    `<start name="idle"/> <start name="client" caps="1"> <exit propagate="yes"/> </start>`,
  );
  expect(end).toEqual({ kind: 'exit', code: 1 });
});

test('a child that crashes is restarted as often as its budget says, and then stays down, which is reported', async () => {
  let starts = 0;
  const mortal = component({}, () => {
    starts++;
    throw new Error('ouch');
  });
  const system = startSystem(
    'shared',
    { mortal, client: outliver(() => system.platform.lines, ['has crashed too often']) },
    `<start name="mortal"> <restart max="2" period_s="60"/> </start> ${OUTLIVER}`,
  );
  const { end, lines } = await finish(system);
  expect(end).toEqual({ kind: 'exit', code: 0 });
  expect(starts).toBe(3);
  expect(lines.filter((line) => line.includes('"mortal"'))).toEqual([
    '[init] Warning: child "mortal" is started again (1 of 2 in 60 s)',
    '[init] Warning: child "mortal" is started again (2 of 2 in 60 s)',
    '[init] Error: child "mortal" has crashed too often and stays down',
  ]);
});

test('a crashed child without a budget stays down, and ends the system with 1 if its exit is to be propagated', async () => {
  const mortal = component({}, () => {
    throw new Error('ouch');
  });
  const { end, lines } = await runSystem(
    'shared',
    { idle, mortal },
    `<start name="idle"/> <start name="mortal"> <exit propagate="yes"/> </start>`,
  );
  expect(end).toEqual({ kind: 'exit', code: 1 });
  expect(lines.join('\n')).not.toMatch(/started again|too often/);
});

test('init does not wait to be stopped by a parent that it has told that it exits', async () => {
  const mortal = component({}, () => {
    throw new Error('ouch');
  });
  for (const more of ['', 'caps="1"']) {
    const start = `<start name="mortal" ${more}> <exit propagate="yes"/> </start>`;
    const { end, lines } = await runSystem('shared', { mortal }, start);
    expect(end).toEqual({ kind: 'exit', code: 1 });
    expect(lines.join('\n')).not.toContain('no child is left');
  }
});

test('init does not say that no child is left while a child is about to be restarted', async () => {
  const mortal = component({}, async (env) => {
    await env.timer.sleep(20);
    throw new Error('ouch');
  });
  const system = startSystem(
    'shared',
    { mortal },
    '<start name="mortal" ram="90M"> <restart max="2"/> </start>',
  );
  const said = '[init] no child is left; waiting to be stopped';
  while (!system.platform.lines.includes(said)) await new Promise(setImmediate);
  system.supervisor.end({ kind: 'exit', code: 9 });
  const { lines } = await finish(system);
  expect(lines.filter((line) => line.startsWith('[init] '))).toEqual([
    '[init] Warning: child "mortal" is started again (1 of 2 in 60 s)',
    '[init] Warning: child "mortal" is started again (2 of 2 in 60 s)',
    '[init] Error: child "mortal" has crashed too often and stays down',
    said,
  ]);
});

test('init waits to be stopped when no child is left, and says so once', async () => {
  const leaver = component({}, (env) => env.exit(3));
  const system = startSystem(
    'shared',
    { leaver },
    '<start name="leaver"/> <start name="second"> <binary name="leaver"/> </start>',
  );
  const said = '[init] no child is left; waiting to be stopped';
  while (!system.platform.lines.includes(said)) await new Promise(setImmediate);
  system.supervisor.end({ kind: 'exit', code: 9 });
  const { end, lines } = await finish(system);
  expect(end).toEqual({ kind: 'exit', code: 9 });
  expect(lines.filter((line) => line === said).length).toBe(1);
  expect(lines).toContain('[init] child "leaver" exited with exit value 3');
  expect(lines).toContain('[init] child "second" exited with exit value 3');
});

test('a component that exits twice has exited with the first value', async () => {
  const client = component({}, (env) => {
    env.exit(3);
    env.exit(4);
  });
  const { end } = await runSystem('shared', { client }, OUTLIVER);
  expect(end).toEqual({ kind: 'exit', code: 3 });
});

test('an invalid exit code is refused in the call, and the component goes on', async () => {
  const client = component({}, async (env) => {
    for (const code of [Number.NaN, 1.5, -1, 256, 1e9, Number.POSITIVE_INFINITY]) {
      try {
        env.exit(code);
      } catch (error) {
        await env.log(hasCode(error, 'InvalidArgument') ? `refused: ${error.message}` : String(error));
      }
    }
    env.exit(7);
  });
  const { end, lines, complaints } = await runSystem('shared', { client }, OUTLIVER);
  expect(end).toEqual({ kind: 'exit', code: 7 });
  const refused = ['NaN', '1.5', '-1', '256', '1000000000', 'Infinity'].map(
    (given) => `[init -> client] refused: exit: expected a whole number from 0 to 255, got ${given}`,
  );
  expect(lines.filter((line) => line.startsWith('[init -> client]'))).toEqual(refused);
  expect(complaints).toEqual([]);
});

test('a component that runs children of its own sees the state of each, and what it waits for', async () => {
  const Store = session('Store', {});
  const silent = component({ provides: [Store] }, () => {});
  const waiting = component({}, async (env) => void (await env.connect(Store)));
  const leaver = component({}, async (env) => {
    env.onStop(() => env.timer.sleep(200));
    env.exit(0);
  });
  const keeper = component({}, async (env) => {
    const { config } = readInitConfig(env.config.node);
    const sandbox = new Sandbox(env, () => {});
    const states = (): string => sandbox.state.map(({ name, state }) => `${name} ${state}`).join(', ');
    const starting = sandbox.apply(config);
    await env.log(states());
    await starting;
    const patient = (): boolean => sandbox.state.some(({ why }) => why?.includes('waiting for'));
    while (!patient()) await env.timer.sleep(20);
    await env.log(states());
    for (const { name, why, kept } of sandbox.state) await env.log(`${name}: ${why} ${kept.ram}`);
    await sandbox.stop();
    await env.log(`left ${sandbox.state.length}`);
    env.exit(0);
  });
  const own = configOf(`
    <start name="silent"> <provides> <service name="Store"/> </provides> </start>
    <start name="waiting"/> <start name="leaver"/>`);
  const { lines } = await runSystem(
    'shared',
    { silent, waiting, leaver, client: keeper },
    `<start name="client" ram="40M" caps="1000"> <exit propagate="yes"/> ${own} </start>`,
  );
  expect(lines.filter((line) => line.startsWith('[init -> client] '))).toEqual(
    [
      'silent incomplete, waiting incomplete, leaver incomplete',
      'child "leaver" exited with exit value 0',
      'Warning: "waiting" waits for "silent", which has not offered its service "Store" yet',
      'silent running, waiting waiting, leaver exited',
      'silent: undefined 0',
      'waiting: waiting for "silent" to answer 0',
      'leaver: undefined 0',
      'left 0',
    ].map((line) => `[init -> client] ${line}`),
  );
});
