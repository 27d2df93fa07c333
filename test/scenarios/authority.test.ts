/**
 * Tests that authority is only what came along a route. A component that uses nothing but the
 * exported API tries to start code, to read things of others and to get into their processes. Each
 * attempt ends with an error, on every isolation and under a nested init, and the same in the
 * simulator. `docs/security.md` lists the promises.
 */
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CORE_URL, type FinishedRun, systemConfig, Workplace } from '../harness/ginit.ts';
import { expectSameSimulated } from '../harness/simulated-too.ts';
import { allLongIf, leftOut } from '../harness/long.ts';

/** Starts components as init does. */
const OFFSPRING = fileURLToPath(new URL('../stress/activity/offspring.mjs', import.meta.url));
const SECRET = 'the-password-of-the-victim';
/** A file that no config names, and other names that it might be called by. */
const THIEF_NAMES = [
  './other/thief.mjs',
  'other/thief.mjs',
  'x -> ./other/thief.mjs',
  './idle.mjs/../other/thief.mjs',
];
const CONFIG_NAMES = ['x', '', 'init', 'victim', 'sub', 'config'].map((name) => `${name} -> config`);

const PROBE = `import { component, Rom, RomModule } from '${CORE_URL}'; import { HostGrant } from '${CORE_URL}/host'; import { Cpu, Parent, Pd } from '${CORE_URL}/system';
import { Offspring } from './offspring.mjs';

/** A parent that gives nothing. */
const NO_PARENT = {
  session: () => { throw new Error('nothing'); },
  upgrade: () => {}, close: () => {}, announce: () => {}, exit: () => {},
};

export default component(async (env) => {
  /** Reports the result of an attempt. */
  const attempt = async (topic, what, action) => {
    const result = await Promise.resolve().then(action).then((value) => JSON.stringify(value), (error) => error.code);
    await env.log(topic + '| ' + what + ': ' + result);
  };
  const text = async (label) => {
    const rom = await env.connect(Rom, { label });
    return new TextDecoder().decode((await rom.dataspace())?.copyContent());
  };

  const cpu = await env.connect(Cpu, { label: 'kid' });
  const pd = await env.connect(Pd, { label: 'kid' });
  const parent = env.capability(Parent, NO_PARENT);
  const start = (binary, more) => cpu.start({ pd, parent, binary, isolation: 'thread', grants: [], ...more });
  const idle = await env.connect(Rom, { label: './idle.mjs' });

  for (const label of [...${JSON.stringify(THIEF_NAMES)}, env.config.node.value('thief')])
    await attempt('code', label, () => env.connect(Rom, { label }));
  await attempt('code', 'a name in the call', () => start('./other/thief.mjs'));
  await attempt('code', 'no room for a heap', () => start(idle, { heap: 1024 }));

  const code = new TextEncoder().encode("import { component } from '${CORE_URL}'; export default component(() => {});");
  await attempt('rom', 'a ROM of my own', () => start(env.capability(Rom, new RomModule(code).open())));
  await attempt('rom', 'my config', async () => start(await env.connect(Rom, { label: 'config' })));
  await attempt('rom', 'another interface', () => start(pd));
  await attempt('rom', 'a PD of my own', () => start(idle, { pd: env.capability(Pd, {}) }));

  const grant = { kind: 'file', path: 'secret.txt', access: 'ro' };
  await attempt('host', 'grants', () => env.host.grants);
  await attempt('host', 'a grant of others', () => env.host.grant(grant));
  await attempt('host', 'a path in the call', () => start(idle, { grants: [grant] }));
  await attempt('host', 'a grant of my own', () =>
    start(idle, { grants: [env.capability(HostGrant, { fact: () => grant })] }));
  await attempt('host', 'another interface', () => start(idle, { grants: [pd] }));
  await attempt('host', 'the file itself', () => env.host.openFile('secret.txt', 'ro'));

  for (const label of ${JSON.stringify(CONFIG_NAMES)}) await attempt('config', label, () => text(label));
  await attempt('config', 'config', async () => (await text('config')).includes('my-own'));

  for (const domain of ['main', undefined]) {
    const options = { name: 'kid-' + domain, binary: './idle.mjs', config: { type: 'config', at: [1, 1] } };
    const kid = new Offspring(env, { ...options, domain, isolation: 'thread', ram: 2 ** 20, caps: 100 });
    await kid.start();
    // The child runs then.
    await kid.over;
  }
  env.exit(0);
});`;

const THIEF = `import { component } from '${CORE_URL}';
export default component((env) => { throw new Error('the thief runs'); });`;

const IDLE = `import { component } from '${CORE_URL}';
export default component((env) => env.exit(0));`;

const VICTIM = `import { component } from '${CORE_URL}';
export default component({ host: ['file'] }, (env) => env.log('up'));`;

const NEIGHBOUR = `import { component } from '${CORE_URL}';
export default component((env) => env.log('up'));`;

interface Where {
  readonly isolation: 'thread' | 'process';
  readonly nested: boolean;
}

const EVERYWHERE: readonly Where[] = (['thread', 'process'] as const).flatMap((isolation) => [
  { isolation, nested: false },
  { isolation, nested: true },
]);

const titleOf = ({ isolation, nested }: Where): string =>
  `a component in a ${isolation}${nested ? ', under a nested init' : ''}`;

/** The probe at a place, among components that have things which are not for it. */
function probeConfig({ isolation, nested }: Where, thief: string): string {
  const probe = `<start name="probe" ram="16M" caps="600" isolation="${isolation}" jail="no">
    <binary name="./probe.mjs"/> <exit propagate="yes"/> <config mine="my-own" thief="${thief}"/> </start>`;
  const sub = `<start name="sub" ram="32M" caps="2000"> <binary name="init"/> <exit propagate="yes"/>
    ${systemConfig(probe)} </start>`;
  return systemConfig(`<binary name="./idle.mjs"/>
    <start name="victim"> <binary name="./victim.mjs"/> <host> <file path="secret.txt"/> </host> <config password="${SECRET}"/> </start>
    <start name="neighbour"> <binary name="./neighbour.mjs"/> </start>
    ${nested ? sub : probe}`);
}

describe.each(EVERYWHERE.map((where) => [titleOf(where), where] as const))('%s', (_, where) => {
  // What each of the two changes is shown by itself.
  const long = where.isolation === 'process' && where.nested;
  allLongIf(long);
  const label = where.nested ? 'init -> sub -> probe' : 'init -> probe';
  let place: Workplace;
  let run: FinishedRun;

  beforeAll(async () => {
    place = new Workplace();
    if (leftOut(long)) return;
    copyFileSync(OFFSPRING, place.path('offspring.mjs'));
    mkdirSync(join(place.directory, 'other'));
    const files = { probe: PROBE, 'other/thief': THIEF, idle: IDLE, victim: VICTIM, neighbour: NEIGHBOUR };
    for (const [name, source] of Object.entries(files)) place.write(`${name}.mjs`, source);
    place.write('secret.txt', SECRET);
    place.write('config.xml', probeConfig(where, place.path('other/thief.mjs')));
    run = await place.run('--summary', 'config.xml');
    expect(run.code, run.stderr).toBe(0);
  });
  afterAll(() => place[Symbol.dispose]());

  /** The reports of the probe about its attempts at a topic. */
  const said = (topic: string): string[] => {
    const lead = `[${label}] ${topic}| `;
    return run.lines.filter((line) => line.startsWith(lead)).map((line) => line.slice(lead.length));
  };

  test('starts no file that the config does not name, whatever name it uses', () => {
    const names = [...THIEF_NAMES, place.path('other/thief.mjs')];
    const denied = names.map((name) => `${name}: DENIED`);
    expect(said('code')).toEqual([
      ...denied,
      'a name in the call: InvalidArgument',
      'no room for a heap: InvalidArgument',
    ]);
    expect(run.stderr).not.toContain('the thief runs');
  });

  test('starts no code that comes from another ROM server, and starts on an account of the supervisor only', () => {
    expect(said('rom')).toEqual([
      'a ROM of my own: NO_BINARY',
      'my config: NO_BINARY',
      'another interface: NO_BINARY',
      'a PD of my own: DENIED',
    ]);
  });

  test('gets nothing of the host that its start node does not grant, neither for itself nor for others', () => {
    expect(said('host')).toEqual([
      'grants: []',
      'a grant of others: NotGranted',
      'a path in the call: InvalidArgument',
      'a grant of my own: DENIED',
      'another interface: DENIED',
      'the file itself: NotGranted',
    ]);
  });

  test('reads no config but its own', () => {
    expect(said('config')).toEqual([...CONFIG_NAMES.map((name) => `${name}: DENIED`), 'config: true']);
    expect(run.stdout).not.toContain(SECRET);
  });

  test('can start its children in processes of its own subtree only', () => {
    const rows = run.stderr.matchAll(/^ginit: (init -> \S.*?) {2,}thread of "([^"]+)" \((\d+)\)/gm);
    const threads = Array.from(rows, ([, who, domain, pid]) => ({ who, domain, pid }));
    const kids = threads.filter(({ who }) => who?.startsWith(`${label} -> kid-`));
    const own = `${label.slice('init -> '.length)} -> main`;
    expect(kids.map(({ domain }) => domain)).toEqual([own, own]);
    const neighbour = threads.find(({ who }) => who === 'init -> neighbour');
    expect(neighbour?.domain).toBe('main');
    expect(kids.map(({ pid }) => pid)).not.toContain(neighbour?.pid);
  });

  test.runIf(where.isolation === 'thread')('gets the same answers in the simulator', async () => {
    await expectSameSimulated(place, 'config.xml', run);
  });
});
