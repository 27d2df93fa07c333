/**
 * Tests that a failing seed is shrunk to the faults that it needs, and that those can be run again.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { skipIfLong } from '../harness/long.ts';
import { CORE_URL, systemConfig, Workplace } from '../harness/ginit.ts';

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
  writeSystem();
});
afterEach(() => place[Symbol.dispose]());

/**
 * Two guests that greet their host whenever they start; the host gives up when both have come
 * twice.
 */
function writeSystem(): void {
  place.write(
    'host.mjs',
    `import { component, rpc, session, text } from '${CORE_URL}';
    export const Host = session('Host', { greet: rpc({ args: [text(64)] }) });
    export default component({ provides: [Host] }, (env) => {
      const seen = new Map();
      env.provide(Host, () => ({ greet: (name) => {
        seen.set(name, (seen.get(name) ?? 0) + 1);
        if (seen.get('a') > 1 && seen.get('b') > 1) env.exit(7);
      } }));
      env.timer.after(60_000, () => env.exit(0));
    });`,
  );
  place.write(
    'guest.mjs',
    `import { component } from '${CORE_URL}'; import { Host } from './host.mjs';
    export default component({ requires: [Host] }, async (env) => {
      const host = await env.connect(Host);
      await host.greet(env.config.node.value('name'));
      for (;;) await env.timer.sleep(400);
    });`,
  );
  const guest = (name: string): string =>
    `<start name="${name}"> <binary name="./guest.mjs"/> <restart max="100" period_s="1000"/> <config name="${name}"/> </start>`;
  place.write(
    'config.xml',
    systemConfig(
      `<start name="host"> <binary name="./host.mjs"/> <provides> <service name="Host"/> </provides> <exit propagate="yes"/> </start>
      ${guest('a')} ${guest('b')} ${guest('c')} ${guest('d')}`,
    ),
  );
  const fault = (name: string): string => `<crash component="init -> ${name}" within="1250" count="3"/>`;
  place.write(
    'plan.xml',
    `<faults> ${fault('c')} ${fault('a')} <stall within="1250" ms="20" count="4"/> ${fault('d')} ${fault('b')} </faults>`,
  );
}

const MINIMAL =
  /it fails with 2 of its \d+ faults, none of which can be left out \(\d+ runs\):\nginit: sim: {3}before task #\d+: fault (\d+): \[init -> [ab]\] crashes\nginit: sim: {3}before task #\d+: fault (\d+): \[init -> [ab]\] crashes\nginit: sim: to see it: the same command with --replay (\d+) --only-faults (\d+,\d+)$/m;

test('a seed that fails with many faults is shrunk to the two it needs', async (context) => {
  skipIfLong(context);
  const many = await place.simulate('--faults', 'plan.xml', '--seeds', '1..20', 'config.xml');
  expect(many.code, many.stderr).toBe(7);
  expect(many.stderr).toMatch(MINIMAL);
  const [, first, second, seed = '', only = ''] = MINIMAL.exec(many.stderr) ?? [];
  expect(only).toBe(`${first},${second}`);

  const again = ['sim', '--faults', 'plan.xml', 'config.xml', '--only-faults'];
  const replay = await place.run(...again, only, '--replay', seed);
  expect(replay.code).toBe(7);
  for (const number of [first, second]) {
    expect(replay.stderr).toMatch(
      new RegExp(`^\\d+\\.\\d{6} ! fault ${number}: \\[init -> [ab]\\] crashes$`, 'm'),
    );
  }
  expect(replay.stderr.match(/! fault/g)?.length).toBe(2);
  expect(replay.stderr).toMatch(/^\d+\.\d{6} ! the system is ended with exit code 7$/m);
  expect((await place.run(...again, only, '--replay', seed)).stderr).toBe(replay.stderr);

  for (const number of [first ?? '', second ?? '', 'none']) {
    expect((await place.run(...again, number, '--seed', seed)).code).toBe(0);
  }
  const alone = await place.simulate('--faults', 'plan.xml', '--seed', seed, 'config.xml');
  expect(alone.stderr).toContain(`--replay ${seed} --only-faults ${only}`);
}, 180_000);

test('shrinking can be switched off, and the number of its runs is bounded', async () => {
  const faults = ['--faults', 'plan.xml', '--seeds', '1..20', 'config.xml'];
  const plain = await place.simulate(...faults, '--no-shrink');
  expect(plain.stderr).not.toContain('can be left out');
  expect(plain.stderr).toMatch(/to see it: the same command with --replay \d+$/m);
  const bounded = await place.simulate(...faults, '--shrink-runs', '3');
  expect(bounded.stderr).toMatch(/ faults, perhaps more than it needs: no more runs \(3 runs\):$/m);
});

test('a run that fails without any fault says so', async () => {
  place.write(
    'config.xml',
    systemConfig('<start name="guest"> <binary name="./exits.mjs"/> <exit propagate="yes"/> </start>'),
  );
  place.write(
    'exits.mjs',
    `import { component } from '${CORE_URL}';
    export default component(async (env) => { await env.timer.sleep(1000); env.exit(4); });`,
  );
  place.write('plan.xml', '<faults> <clock-jump by_s="5" within="1" count="3"/> </faults>');
  const run = await place.simulate('--faults', 'plan.xml', '--seed', '1', 'config.xml');
  expect(run.code).toBe(4);
  expect(run.stderr).toContain('it fails without any of its 3 faults (1 run)\n');
  expect(run.stderr).toMatch(/with --replay 1 --only-faults none$/m);
});

test.each([
  [['--only-faults', '1'], '--only-faults is for a fault plan: --faults FILE --only-faults 3,7'],
  [['--faults', 'plan.xml', '--only-faults', '3,x'], '--only-faults x: not a whole number from 1 to 1000000'],
  [['--seed', '1', '--replay', '2'], 'one of --seed, --seeds and --replay at a time'],
])('a wrong option for shrinking is refused: %j', async (args, text) => {
  const { code, stderr } = await place.simulate(...args, 'config.xml');
  expect(stderr).toBe(`ginit: ${text}\nginit: try "ginit sim --help"\n`);
  expect(code).toBe(2);
});

test('the number of a fault that the plan does not have is refused', async () => {
  const args = ['--faults', 'plan.xml', '--only-faults', '2,17'];
  const { code, stderr } = await place.simulate(...args, 'config.xml');
  expect(stderr).toBe('ginit: --only-faults 17: the plan has 16 faults\n');
  expect(code).toBe(2);
});
