/**
 * Whole systems whose threads park: what a component does besides its calls still works, and idle
 * costs nothing.
 */
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { CORE_URL, type GinitRun, systemConfig, Workplace } from '../../../test/harness/ginit.ts';

let place: Workplace;
afterEach(() => place[Symbol.dispose]());

/** Starts a system of one component, and perhaps others. */
function start(components: Readonly<Record<string, string>>, starts?: string): GinitRun {
  place = new Workplace();
  for (const [name, body] of Object.entries(components)) {
    place.write(`${name}.mjs`, `import { component, session, rpc } from '${CORE_URL}';\n${body}`);
  }
  const one = `<start name="one"> <binary name="./one.mjs"/> <exit propagate="yes"/> </start>`;
  place.write('config.xml', systemConfig(starts ?? one));
  return place.start('config.xml');
}

/** Milliseconds that a component measured itself, in a line `name: N`. */
function measured(output: string, name: string): number {
  const found = new RegExp(`${name}: ([0-9.]+)`).exec(output)?.[1];
  if (found === undefined) throw new Error(`no line "${name}" in:\n${output}`);
  return Number(found);
}

/** CPU time of all processes of a run so far, in milliseconds. */
function cpuMs(run: GinitRun): number {
  let ticks = 0;
  for (const pid of run.processes()) {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks * 10;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('in a component that parks', () => {
  test('output past the log comes out at once, all of it', async () => {
    const run = start({
      one: `export default component(async (env) => {
        for (let line = 1; line <= 200; line++) console.log('line ' + line + ' ' + 'x'.repeat(500));
        console.error('the last one');
        await env.timer.sleep(60_000);
      });`,
    });
    await run.until('the last one');
    await run.until('line 200');
    for (let line = 1; line <= 200; line++) expect(run.stdout).toContain(`line ${line} x`);
    run.killGroup();
  });

  test('an answer of Node itself that it awaits is late, but comes', async () => {
    const run = start({
      one: `export default component(async (env) => {
        await new Promise((resolve) => setTimeout(resolve, 50));
        await new Promise((resolve) => setImmediate(resolve));
        await import('./other.mjs');
        const wasm = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);
        await WebAssembly.instantiate(wasm);
        env.exit(3);
      });`,
      other: 'export const other = component;',
    });
    expect((await run.finished).code).toBe(3);
  });

  test('an error in a timer of its own ends it, as anywhere', async () => {
    const run = start({
      one: `export default component(async (env) => {
        await env.log('here');
        setTimeout(() => { throw new TypeError('too late'); }, 5);
      });`,
    });
    const { code, stderr } = await run.finished;
    expect(stderr).toContain('[init -> one] crashed: TypeError: too late');
    expect(code).toBe(1);
  });

  test('Node goes on undisturbed if its manifest says that its loop is live', async () => {
    // Side by side, so that whatever else the machine does concerns both.
    const steps = `async (env) => {
      const taken = [];
      for (let step = 0; step < 51; step++) {
        const start = performance.now();
        await new Promise((resolve) => setTimeout(resolve, 1));
        await env.quota();
        taken.push(performance.now() - start);
      }
      await env.log(env.config.node.value('name') + ': ' + taken.toSorted((a, b) => a - b)[25]);
      await env.timer.sleep(60_000);
    }`;
    const of = (name: string): string =>
      `<start name="${name}"> <binary name="./${name}.mjs"/> <config name="${name}"/> </start>`;
    const run = start(
      {
        live: `export default component({ loop: 'live' }, ${steps});`,
        parks: `export default component({}, ${steps});`,
      },
      of('live') + of('parks'),
    );
    await run.until('live: ');
    await run.until('parks: ');
    // In the park each step waits for the next look at the loop, ten milliseconds later.
    expect(measured(run.stdout, 'live') + 5).toBeLessThan(measured(run.stdout, 'parks'));
    run.killGroup();
  });
});

const HUB = `const Echo = session('Echo', { echo: rpc() });
export default component({ provides: [Echo] }, (env) => {
  env.provide(Echo, () => ({ echo: (x) => x }));
});`;
const LEAF = `const Echo = session('Echo', { echo: rpc() });
export default component({ requires: [Echo] }, async (env) => {
  const echo = await env.connect(Echo);
  for (let i = 0; i < 50; i++) if ((await echo.echo(i)) !== i) throw new Error('wrong echo');
  await env.log('done');
});`;

const LEAVES = 80;
/**
 * One thread that does not park takes 100; what V8 does by itself on a busy machine stays far below
 * this.
 */
const BUSY_PERCENT = 30;

test('a thread with many channels serves them all, and the idle system uses next to no CPU', async () => {
  const leaves = Array.from(
    { length: LEAVES },
    (_, leaf) => `<start name="leaf-${leaf}" ram="512K" caps="40"> <binary name="./leaf.mjs"/> </start>`,
  );
  const run = start(
    { hub: HUB, leaf: LEAF },
    `<start name="hub" ram="16M" caps="2000"> <binary name="./hub.mjs"/> <provides> <service name="Echo"/> </provides> </start>
     ${leaves.join('\n')}`,
  );
  for (let leaf = 0; leaf < LEAVES; leaf++) await run.until(`[init -> leaf-${leaf}] done`);
  await sleep(1000);
  const before = cpuMs(run);
  await sleep(3000);
  const usedPercent = (cpuMs(run) - before) / 30;
  expect(usedPercent).toBeLessThan(BUSY_PERCENT);
  run.killGroup();
  await run.finished;
});

test('an idle system of a few threads uses no CPU to speak of', async () => {
  const leaf = (name: string): string => `<start name="${name}"> <binary name="./leaf.mjs"/> </start>`;
  const run = start(
    { hub: HUB, leaf: LEAF },
    `<start name="hub"> <binary name="./hub.mjs"/> <provides> <service name="Echo"/> </provides> </start>
     ${leaf('a')} ${leaf('b')}`,
  );
  for (const name of ['a', 'b']) await run.until(`[init -> ${name}] done`);
  await sleep(500);
  const before = cpuMs(run);
  await sleep(3000);
  expect((cpuMs(run) - before) / 30).toBeLessThan(BUSY_PERCENT);
  run.killGroup();
  await run.finished;
});
