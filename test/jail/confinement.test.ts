/**
 * Tests that a jailed component does not get out of its jail by starting itself or other
 * components, and that a nested init starts what its config says.
 */
import { copyFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CORE_URL, GinitRun, systemConfig, Workplace } from '../harness/ginit.ts';
import { JAILABLE } from '../harness/jailable.ts';

const OFFSPRING = fileURLToPath(new URL('../stress/activity/offspring.mjs', import.meta.url));

/** Starts children, in each way that a component may ask the supervisor for. */
const PROBE = `import { component, Rom } from '${CORE_URL}'; import { Cpu, Parent, Pd } from '${CORE_URL}/system';
import { Offspring } from './offspring.mjs';
const NO_PARENT = {
  session: () => { throw new Error('nothing'); },
  upgrade: () => {}, close: () => {}, announce: () => {}, exit: () => {},
};
export default component(async (env) => {
  const parent = env.capability(Parent, NO_PARENT);
  const pd = await env.connect(Pd, { label: 'other' });
  await pd.setReferenceAccount(env.pd);
  await env.pd.transfer(pd, { ram: 2 ** 20, caps: 100 });
  const binary = await env.connect(Rom, { label: './idle.mjs' });
  const cpu = await env.connect(Cpu, { label: 'other' });
  for (const [isolation, jail] of [['thread'], ['thread', 'required'], ['process', 'no']]) {
    const outcome = await cpu.start({ pd, parent, binary, isolation, jail, grants: [] }).then(
      () => 'started',
      (error) => error.code + ' ' + error.message,
    );
    await env.log(isolation + ' ' + jail + ': ' + outcome);
  }
  for (const confined of ['no', '']) {
    const outcome = await env.connect(Cpu, { label: 'other', args: { confined } })
      .then((cpu) => cpu.start({ pd, parent, binary, isolation: 'thread', grants: [] }))
      .then(() => 'started', (error) => error.code);
    await env.log('confined="' + confined + '": ' + outcome);
  }
  const isolation = env.config.node.value('kid');
  const options = { name: 'kid', binary: './idle.mjs', config: { type: 'config', at: [1, 1] } };
  const kid = new Offspring(env, { ...options, isolation, ram: 2 ** 20, caps: 100 });
  await kid.start();
  await kid.over;
  env.exit(0);
});`;

const IDLE = `import { component } from '${CORE_URL}';
export default component(async (env) => { await env.log('up'); env.exit(0); });`;

const DRIVER = `import { component } from '${CORE_URL}';
export default component({ host: ['file'] }, async (env) => { await env.log('up'); env.exit(0); });`;

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
  for (const [name, text] of Object.entries({ probe: PROBE, idle: IDLE, driver: DRIVER }))
    place.write(`${name}.mjs`, text);
  copyFileSync(OFFSPRING, place.path('offspring.mjs'));
  place.write('file', 'text');
});
afterEach(() => place[Symbol.dispose]());

const probe = (attributes: string, kid = 'process'): string => `<binary name="./idle.mjs"/>
  <start name="probe" ram="16M" caps="600" ${attributes}> <binary name="./probe.mjs"/> <exit propagate="yes"/>
    <config kid="${kid}"/> </start>`;
const nested = (attributes: string, config: string): string =>
  `<start name="sub" ram="32M" caps="2000" ${attributes}> <binary name="init"/> <exit propagate="yes"/>
    <host> <file path="file"/> </host> ${config} </start>`;

test.each([
  ['by default', probe('isolation="process"'), 'init -> probe'],
  ['below an init', nested('', systemConfig(probe('isolation="process"'))), 'init -> sub -> probe'],
  [
    'below an init that is jailed by default',
    nested('isolation="process"', systemConfig(probe('isolation="process"'))),
    'init -> sub -> probe',
  ],
])('a component that a jailed one starts is jailed, or not started: %s', async (_, config, label) => {
  place.write('config.xml', systemConfig(config));
  const { code, stderr, lines } = await place.run('--summary', 'config.xml');
  expect(code, stderr).toBe(0);
  const said = (text: string): string | undefined =>
    lines
      .find((line) => line.startsWith(`[${label}] ${text}: `))
      ?.split(': ')
      .slice(1)
      .join(': ');
  expect(said('thread undefined')).toMatch(/^DENIED .*threads cannot be jailed/);
  expect(said('thread required')).toMatch(/^DENIED .*threads cannot be jailed/);
  expect(said('process no')).toMatch(/^DENIED .*jail "no" is refused/);
  expect(said('confined="no"')).toBe('DENIED');
  expect(said('confined=""')).toBe('DENIED');
  expect(lines).toContain(`[${label} -> kid] up`);
  if (JAILABLE) expect(stderr).toMatch(new RegExp(`^ginit: ${label} -> kid +process \\d+, jailed`, 'm'));
});

test('a component that is not jailed starts threads, but none that must be jailed', async () => {
  place.write('config.xml', systemConfig(probe('isolation="process" jail="no"', 'thread')));
  const { code, stderr, lines } = await place.run('config.xml');
  expect(code, stderr).toBe(0);
  expect(lines).toContain('[init -> probe -> kid] up');
  const said = lines.find((line) => line.startsWith('[init -> probe] thread required: '));
  expect(said).toContain('DENIED it cannot be jailed: only a process of its own can');
});

const CHILDREN = `<start name="thread"> <binary name="./idle.mjs"/> </start>
  <start name="driver"> <binary name="./driver.mjs"/> <host> <file path="file"/> </host> </start>
  <start name="jailed" isolation="jail"> <binary name="./idle.mjs"/> </start>`;

async function untilEnded(attributes: string, texts: readonly string[]): Promise<string> {
  place.write('config.xml', systemConfig(nested(attributes, systemConfig(CHILDREN))));
  const running: GinitRun = place.start('config.xml');
  for (const text of texts) await running.until(text);
  running.child.kill('SIGTERM');
  const { stdout, stderr } = await running.finished;
  return stdout + stderr;
}

test('an init that is jailed by default starts threads and drivers as its config says', async () => {
  const up = ['thread', 'driver', 'jailed'].map((name) => `[init -> sub -> ${name}] up`);
  expect(await untilEnded('isolation="process"', up)).not.toContain('cannot be started');
});

test.skipIf(!JAILABLE)(
  'isolation="jail" of an init holds for everything below it (jails are for Linux on x64)',
  async () => {
    const refused = ['threads cannot be jailed', 'jail "no" is refused'];
    const said = await untilEnded('isolation="jail"', [...refused, '[init -> sub -> jailed] up']);
    expect(said).not.toContain('[init -> sub -> thread] up');
    expect(said).not.toContain('[init -> sub -> driver] up');
  },
);
