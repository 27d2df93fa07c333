/**
 * Tests that components which keep the rule share nothing, and that those which break it are
 * simulated where that is safe, or refused.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CORE_URL, type FinishedRun, systemConfig, Workplace } from '../harness/ginit.ts';

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
});
afterEach(() => place[Symbol.dispose]());

const start = (name: string, more = ''): string =>
  `<start name="${name}"> <binary name="./${name}.mjs"/> <exit propagate="yes"/> ${more} </start>`;

/** A component whose main function is `body`. */
function component(name: string, body: string, imports = ''): void {
  place.write(
    `${name}.mjs`,
    `import { component, Timer, rpc, session } from '${CORE_URL}';\n${imports}\nexport default component(async (env) => {\n${body}\n});`,
  );
}

async function simulate(starts: string, ...args: string[]): Promise<FinishedRun> {
  place.write('config.xml', systemConfig(starts));
  return place.simulate(...args, 'config.xml');
}

test('start nodes with the same binary share no state of its modules, not even with a restarted one', async () => {
  place.write('count.mjs', 'let count = 0; export const next = () => ++count;');
  component(
    'one',
    `await env.log('count ' + next()); if (env.config.node.value('crash') === 'yes') throw new Error('on purpose');`,
    `import { next } from './count.mjs';`,
  );
  component('last', 'await env.timer.sleep(1000); env.exit(0);');
  const node = (name: string, crash: string): string =>
    `<start name="${name}"> <binary name="./one.mjs"/> <restart max="2" period_s="100"/> <config crash="${crash}"/> </start>`;
  const { code, lines, stderr } = await simulate(node('a', 'no') + node('b', 'yes') + start('last'));
  expect(code, stderr).toBe(0);
  const counts = lines.filter((line) => line.includes('count'));
  expect(counts.toSorted()).toEqual(['a', 'b', 'b', 'b'].map((name) => `[init -> ${name}] count 1`));
  expect(stderr).toMatch(/\[init -> b\] crashed: Error: on purpose \(at .*one\.mjs:4:\d+\)\)?$/m);
});

test('clocks, chance and timers follow the seed, and the places of their use are reported', async () => {
  component(
    'one',
    `const began = Date.now();
    await new Promise((resolve) => setTimeout(resolve, 5000));
    await env.log([new Date().getUTCFullYear(), Date.now() - began >= 5000, Math.random(), crypto.randomUUID()].join(' '));
    console.log('printed %d', Math.floor(performance.now() / 1000));
    const ticks = setInterval(() => {}, 1000); clearInterval(ticks);
    const wasm = await WebAssembly.instantiate(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0), {});
    console.log(wasm.instance instanceof WebAssembly.Instance, await WebAssembly.compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])));
    env.exit(0);`,
  );
  const first = await simulate(start('one'));
  expect(first.code, first.stderr).toBe(0);
  expect(first.stdout).toMatch(/^\[init -> one\] 2030 true 0\.\d+ [0-9a-f-]{36}$/m);
  expect(first.stdout).toMatch(/^\[init -> one\] printed 5$/m);
  expect(first.stdout).toMatch(/^\[init -> one\] true Module/m);
  for (const what of [
    'Date.now()',
    'new Date()',
    'Math.random()',
    'setTimeout()',
    'setInterval()',
    'crypto',
  ]) {
    expect(first.stderr).toContain(`ginit: sim: [init -> one] uses ${what} at ${place.path('one.mjs')}:`);
  }
  expect((await simulate(start('one'))).stdout).toBe(first.stdout);
  expect((await simulate(start('one'), '--seed', '2')).stdout).not.toBe(first.stdout);
});

test.each([
  ['fetch', `await fetch('http://localhost/');`, 'fetch'],
  [
    'a sleeping thread',
    'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);',
    'Atomics.wait()',
  ],
  ['the end of the process', 'process.exit(3);', 'process.exit()'],
  ['the time of the process', 'process.hrtime.bigint();', 'process.hrtime()'],
])('%s is refused, with its place', async (_name, body, what) => {
  component('one', body);
  const { code, stderr } = await simulate(start('one'));
  expect(stderr).toContain(`[init -> one] uses ${what} at ${place.path('one.mjs')}:4:`);
  expect(stderr).toContain('it cannot be simulated');
  expect(code).toBe(2);
});

test('imports of modules of Node, also by drivers, and imports at run time are refused', async () => {
  place.write('late.mjs', 'export const late = 1;');
  component('one', `await import('./late.mjs');`);
  place.write(
    'driver.mjs',
    `import { component } from '${CORE_URL}';\nimport 'node:fs';\nexport default component({ host: ['file'] }, () => {});`,
  );
  const host = '<host> <file path="late.mjs"/> </host>';
  const { code, stderr, stdout } = await simulate(start('one') + start('driver', host));
  expect(stderr).toMatch(
    /^config\.xml:7:\d+: component ".\/one.mjs" imports \.\/late\.mjs late at .*one\.mjs:4:/m,
  );
  expect(stderr).toMatch(/component ".\/driver.mjs" imports node:fs at .*driver\.mjs:2:/);
  expect(stdout).toBe('');
  expect(code).toBe(2);
});

test('synchronous calls are refused by name', async () => {
  component('one', 'env.synchronous(Timer, await env.connect(Timer), { timeoutMs: 100 }).elapsedUs();');
  const { code, stderr } = await simulate(start('one'));
  expect(stderr).toContain('[init -> one] makes synchronous calls, which need a thread of their own');
  expect(code).toBe(2);
});

test('a config that gives away more capabilities than there are is refused, as for a real run', async () => {
  component('one', 'env.exit(0);');
  const rich = '<start name="one" caps="119900"> <binary name="./one.mjs"/> <exit propagate="yes"/> </start>';
  expect((await simulate(rich)).code).toBe(0);
  const { code, stderr } = await simulate(rich.replace('119900', '120000'));
  expect(stderr).toMatch(/^config\.xml:\d+:\d+: .*caps/m);
  expect(code).toBe(2);
  expect((await place.run('check', 'config.xml')).stderr).toBe(stderr);
});

test('pending promises of a killed component never continue', async () => {
  component(
    'victim',
    `await env.log('begins'); await env.timer.sleep(1000); setTimeout(() => console.log('its timer'), 5000);
    env.timer.after(5000, () => console.log('its timeout'));
    Promise.resolve().then(() => { throw new Error('on purpose'); });`,
  );
  component('last', `await env.timer.sleep(20000); await env.log('done'); env.exit(0);`);
  const { code, stdout, stderr } = await simulate(
    '<start name="victim"> <binary name="./victim.mjs"/> <restart max="1" period_s="100"/> </start>' +
      start('last'),
  );
  expect(stderr).toContain('[init -> victim] crashed: Error: on purpose');
  expect(stdout.match(/begins/g)?.length).toBe(2);
  expect(stdout).not.toMatch(/its time/);
  expect(stdout).toContain('[init -> last] done');
  expect(code).toBe(0);
});

test.each([
  [['--seed', 'x'], '--seed x: not a whole number from 0 to 9007199254740991'],
  [['--seeds', '5..1'], '--seeds 5..1: the range is empty'],
  [['--until', 'soon'], '--until soon: not a time (for example 90s, 10m, 1h)'],
  [['--seeds', '1..2', '--log'], '--log is for one seed: --seed N --log'],
  [['--carriers', 'pigeons'], '--carriers pigeons: not one of placement, shared, copying, bus'],
])('a wrong command line of the simulator is refused: %j', async (args, text) => {
  component('one', 'env.exit(0);');
  const { code, stderr } = await simulate(start('one'), ...args);
  expect(stderr).toBe(`ginit: ${text}\nginit: try "ginit sim --help"\n`);
  expect(code).toBe(2);
});
