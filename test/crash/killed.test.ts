/**
 * Tests components that their parents kill, in a tight loop or while they start. Other components
 * in the same process go on.
 */
import { copyFileSync, readdirSync, readlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { CORE_URL, type GinitRun, systemConfig, Workplace } from '../harness/ginit.ts';

/** Starts components as init does, and ends them at any time. */
const OFFSPRING = fileURLToPath(new URL('../stress/activity/offspring.mjs', import.meta.url));

const MEET = `import { capability, nothing, rpc, rpcInterface, session } from '${CORE_URL}';
export const Looping = rpcInterface('Looping', { spin: rpc({ args: [], result: nothing }) });
export const Meet = session('Meet', {
  bring: rpc({ args: [capability(Looping)], result: nothing }),
  brought: rpc({ args: [], result: nothing }),
});`;

/** Calls the looping component, and goes on with its own work meanwhile. */
const NEIGHBOUR = `import { component } from '${CORE_URL}';
import { Meet } from './meet.mjs';
export default component({ provides: [Meet] }, async (env) => {
  let tell;
  const brought = new Promise((resolve) => (tell = resolve));
  env.provide(Meet, () => ({
    bring: (looping) => {
      looping.spin().then(() => env.log('spin was answered'), (error) => env.log('spin ended with ' + error.code));
      tell();
    },
    brought: () => brought,
  }));
  for (let beat = 1; ; beat++) { await env.log('beat ' + beat); await env.timer.sleep(20); }
});`;

const LOOPING = `import { component } from '${CORE_URL}';
import { Looping, Meet } from './meet.mjs';
export default component(async (env) => {
  const meet = await env.connect(Meet);
  await meet.bring(env.capability(Looping, { spin: () => { for (;;); } }));
});`;

const PARENT = `import { component } from '${CORE_URL}';
import { Offspring } from './offspring.mjs';
import { Meet } from './meet.mjs';
const MIB = 1024 * 1024;
export default component(async (env) => {
  const meet = await env.connect(Meet);
  await env.timer.sleep(1);
  const before = JSON.stringify(await env.quota());
  const options = { name: 'looping', binary: './looping.mjs', config: { type: 'config', at: [1, 1] } };
  const child = new Offspring(env, { ...options, isolation: 'thread', ram: MIB, caps: 100 });
  await child.start();
  await meet.brought();
  await env.timer.sleep(200);
  await child.end();
  const after = JSON.stringify(await env.quota());
  await env.log(before === after ? 'all quota is back' : before + ' became ' + after);
});`;

const CHILDREN = 30;
const IMPATIENT = `import { component } from '${CORE_URL}';
import { Offspring } from './offspring.mjs';
const MIB = 1024 * 1024;
export default component(async (env) => {
  const options = { binary: './neighbour.mjs', config: { type: 'config', at: [1, 1] } };
  for (let number = 0; number < ${CHILDREN}; number++) {
    const name = 'c' + number;
    const child = new Offspring(env, { ...options, name, isolation: 'thread', ram: MIB, caps: 100 });
    await child.start();
    await env.timer.sleep(5 * (number % 10));
    await child.end();
  }
  await env.log('all are ended');
});`;

let place: Workplace;
afterEach(() => place[Symbol.dispose]());

function start(starts: string): GinitRun {
  place = new Workplace();
  copyFileSync(OFFSPRING, place.path('offspring.mjs'));
  const files = { meet: MEET, neighbour: NEIGHBOUR, looping: LOOPING, parent: PARENT, impatient: IMPATIENT };
  for (const [name, source] of Object.entries(files)) place.write(`${name}.mjs`, source);
  place.write('config.xml', systemConfig(starts));
  return place.start('config.xml');
}

const NEIGHBOUR_START = `<start name="neighbour"> <binary name="./neighbour.mjs"/>
  <provides> <service name="Meet"/> </provides> </start>`;

async function stop(running: GinitRun): Promise<string> {
  running.child.kill('SIGTERM');
  const { code, stderr } = await running.finished;
  expect(code, stderr).toBe(0);
  expect(await running.leftOver()).toEqual([]);
  return stderr;
}

test('a tight loop in a thread is ended by its parent alone', async () => {
  const running = start(`${NEIGHBOUR_START}
    <start name="parent" isolation="process" jail="no" ram="8M" caps="400"> <binary name="./parent.mjs"/> </start>
    <binary name="./looping.mjs"/>`);
  await running.until('[init -> parent] all quota is back');
  await running.until('[init -> neighbour] spin ended with PeerGone');
  const beats = running.stdout.split('beat').length;
  await running.until(`[init -> neighbour] beat ${beats + 10}`);
  expect(await stop(running)).not.toMatch(/crashed|is gone/);
});

/** Modules that processes of a run have open. */
function openModules(running: GinitRun): string[] {
  return running.processes().flatMap((pid) =>
    readdirSync(`/proc/${pid}/fd`).flatMap((descriptor) => {
      try {
        const path = readlinkSync(`/proc/${pid}/fd/${descriptor}`);
        return /\.m?js$/.test(path) ? [path] : [];
      } catch {
        // The descriptor was closed in between.
        return [];
      }
    }),
  );
}

test('threads that are killed while they load leave no file open', async () => {
  const running = start(`${NEIGHBOUR_START}
    <start name="impatient" isolation="process" jail="no" ram="8M" caps="400"> <binary name="./impatient.mjs"/> </start>
    <binary name="./neighbour.mjs"/>`);
  await running.until('[init -> impatient] all are ended');
  await expect.poll(() => openModules(running)).toEqual([]);
  await stop(running);
});
