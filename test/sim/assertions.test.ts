/**
 * Tests the assertions of components, in the simulator and in a real run, and the two phases of a
 * run with faults.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CORE_URL, type FinishedRun, systemConfig, Workplace } from '../harness/ginit.ts';

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
});
afterEach(() => place[Symbol.dispose]());

const start = (name: string, more = '<exit propagate="yes"/>'): string =>
  `<start name="${name}"> <binary name="./${name}.mjs"/> ${more} </start>`;

function component(name: string, body: string, head = 'export default component(async (env) => {'): void {
  place.write(`${name}.mjs`, `import { component, rpc, session } from '${CORE_URL}';\n${head}\n${body}\n});`);
}

async function run(starts: string, ...args: string[]): Promise<FinishedRun> {
  place.write('config.xml', systemConfig(starts));
  const [command, ...options] = args;
  return command === 'sim' ? place.simulate(...options, 'config.xml') : place.run(...args, 'config.xml');
}

describe('assertAlways', () => {
  beforeEach(() =>
    component(
      'one',
      `env.assertAlways(true, 'true is true');
      try { env.assertAlways(1 + 1 === 3, 'sums are right'); } catch (error) { await env.log(error.name); }
      try { env.assertAlways(false, 'another one'); } catch {}
      await env.timer.sleep(60_000); env.exit(0);`,
    ),
  );

  test('a false one gives one line in the log and a crash, even if the error is caught', async () => {
    const { code, lines, stderr } = await run(start('one'));
    expect(lines).toContain('[init -> one] AssertionFailed');
    expect(lines.filter((line) => line.startsWith('[init -> one] Error'))).toEqual([
      '[init -> one] Error: assertion failed: sums are right',
    ]);
    expect(stderr).toMatch(
      /^ginit: \[init -> one\] crashed: AssertionFailed: sums are right \(at .*one\.mjs:4:/m,
    );
    expect(code).toBe(1);
  });

  test('a false one fails a simulated run, which names the component, the text and the time', async () => {
    const { code, stderr } = await run(start('one'), 'sim');
    expect(stderr).toMatch(/FAILED: \[init -> one\] assertion failed: sums are right; at 0\.\d{6} s; 0\./);
    expect(code).toBe(3);
  });

  test('a false one in a served call ends the server, and its client is told', async () => {
    component(
      'server',
      `env.provide(Door, () => ({ open: () => { env.assertAlways(false, 'the door is closed'); } }));`,
      `export const Door = session('Door', { open: rpc({ args: [] }) });
      export default component({ provides: [Door] }, (env) => {`,
    );
    component(
      'client',
      `const door = await env.connect(Door); await door.open().catch(({ code }) => env.log(code)); env.exit(0);`,
      `import { Door } from './server.mjs'; export default component({ requires: [Door] }, async (env) => {`,
    );
    const starts = start('server', '<provides> <service name="Door"/> </provides>') + start('client');
    const real = await run(starts);
    expect(real.lines.filter((line) => line.includes('[init -> server] Error'))).toEqual([
      '[init -> server] Error: assertion failed: the door is closed',
    ]);
    expect(real.stdout).toMatch(/\[init -> client\] (InternalError|PeerGone)/);
    const simulated = await run(starts, 'sim');
    expect(simulated.stderr).toContain('FAILED: [init -> server] assertion failed: the door is closed');
  });
});

describe('assertEventually', () => {
  const body = `env.assertEventually('nothing is met by a promise that rejects', Promise.reject(new Error('no')));
    const met = env.assertEventually('it is called');
    env.assertEventually('a while passes', env.timer.sleep(10));
    env.assertEventually('the stop comes', new Promise((resolve) => env.onStop(resolve)));
    env.assertEventually('a guest comes');
    await env.timer.sleep(20); met.met();`;

  test('an obligation that is not met gives one line in the log when the component is stopped', async () => {
    component('one', `${body} env.exit(0);`);
    const { code, lines } = await run(start('one'));
    expect(lines.filter((line) => line.includes('not met'))).toEqual([
      '[init -> one] Error: not met by the end: nothing is met by a promise that rejects; a guest comes',
    ]);
    expect(code).toBe(0);
  });

  test('an obligation that is not met fails a simulated run at its end', async () => {
    component('one', `${body} env.exit(0);`);
    const { code, stderr } = await run(start('one'), 'sim');
    expect(stderr).toMatch(
      /FAILED: \[init -> one\] has not met: nothing is met by a promise that rejects; a guest comes; at 0/,
    );
    expect(code).toBe(3);
  });

  test('an obligation that is not met fails a simulated run in which nothing happens any more', async () => {
    component('one', body);
    const { code, stderr } = await run(start('one', ''), 'sim');
    expect(stderr).toContain('FAILED: [init -> one] has not met: ');
    expect(code).toBe(3);
  });

  test('in a run that is cut short only obligations count that were unmet for the whole time of patience', async () => {
    component('one', `env.timer.every(1000, () => {}); env.assertEventually('a guest comes');`);
    const short = await run(start('one', ''), 'sim', '--until', '5m');
    expect(short.code, short.stderr).toBe(0);
    const long = await run(start('one', ''), 'sim', '--until', '15m');
    expect(long.stderr).toContain(
      'FAILED: [init -> one] has not met: a guest comes; still running at --until; at 899.',
    );
    expect(long.code).toBe(3);
  });
});

describe('two phases', () => {
  const plan = '<faults> <crash component="init -> server" within="400"/> </faults>';

  beforeEach(() => {
    place.write('plan.xml', plan);
    component(
      'server',
      `env.timer.every(1000, () => {}); env.provide(Door, () => ({ knock: () => env.timer.sleep(5) }));`,
      `export const Door = session('Door', { knock: rpc({ args: [] }) });
      export default component({ provides: [Door] }, (env) => {`,
    );
  });
  const client = (body: string): void =>
    component(
      'client',
      body,
      `import { Door } from './server.mjs'; export default component({ requires: [Door] }, async (env) => {`,
    );
  const starts =
    start('server', '<restart max="3" period_s="100"/> <provides> <service name="Door"/> </provides>') +
    start('client');

  test('a system that recovers from its faults passes', async () => {
    client(`for (let knocks = 0; knocks < 20; ) {
      try { const door = await env.connect(Door); while (knocks < 20) { await door.knock(); knocks++; } } catch { await env.timer.sleep(20); }
    }
    env.exit(0);`);
    const { code, stderr } = await run(starts, 'sim', '--seeds', '1..10', '--faults', 'plan.xml');
    expect(code, stderr).toBe(0);
  });

  test('a system that does not end after the last fault fails, and the phase is named', async () => {
    client(`try { const door = await env.connect(Door); for (let knocks = 0; knocks < 20; knocks++) await door.knock(); env.exit(0); }
      catch { await env.log('gives up'); }`);
    const { code, stderr } = await run(starts, 'sim', '--seeds', '1..20', '--faults', 'plan.xml');
    expect(stderr).toMatch(
      /FAILED: still running at --until, and nobody has ended the system; .*, after the last fault \(which was over at 0\.\d{6} s\)/,
    );
    expect(code).toBe(3);
    const without = await run(starts, 'sim');
    expect(without.code, without.stderr).toBe(0);
  });

  test('a property that breaks before the last fault is reported with that phase', async () => {
    client(`const door = await env.connect(Door); await door.knock().catch(() => {});
      env.assertAlways(false, 'all is well');`);
    place.write('plan.xml', plan.replace('400', '1000000'));
    const { stderr } = await run(starts, 'sim', '--faults', 'plan.xml');
    expect(stderr).toMatch(
      /FAILED: \[init -> client\] assertion failed: all is well; at 0\.\d{6} s, with faults still to come/,
    );
  });
});
