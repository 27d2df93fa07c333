/**
 * Tests the parts of the host that drivers are granted: each is an object of `env.host`, grants are
 * enforced at use, and they are capabilities that come along the tree, whole or read-only.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { skipIfLong } from '../harness/long.ts';
import { CORE_URL, type FinishedRun, systemConfig, Workplace } from '../harness/ginit.ts';

/** Starts components as init does. */
const OFFSPRING = fileURLToPath(new URL('../stress/activity/offspring.mjs', import.meta.url));
const KINDS = `['file', 'directory', 'device', 'program', 'tcp-listen', 'tcp-connect', 'unix-listen', 'unix-connect']`;

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
  copyFileSync(OFFSPRING, place.path('offspring.mjs'));
});
afterEach(() => place[Symbol.dispose]());

/** A driver whose main function is `body`. */
function driver(name: string, body: string, head = ''): void {
  place.write(
    `${name}.mjs`,
    `import { component } from '${CORE_URL}';
    ${head}
    export default component({ mayHost: ${KINDS} }, async (env) => {
      const { host } = env;
      const bytes = (text) => new TextEncoder().encode(text);
      const attempt = async (what, action) => {
        const result = await Promise.resolve().then(action).then(
          (value) => value instanceof Uint8Array ? new TextDecoder().decode(value) : JSON.stringify(value),
          (error) => error.code);
        await env.log(what + ': ' + result);
      };
      ${body}
      env.exit(0);
    });`,
  );
}

const start = (grants: string, attributes = '', name = 'driver'): string =>
  `<start name="${name}" ${attributes}> <binary name="./driver.mjs"/> <exit propagate="yes"/> <host> ${grants} </host> </start>`;

async function run(starts: string): Promise<FinishedRun> {
  place.write('config.xml', systemConfig(starts));
  const finished = await place.run('config.xml');
  expect(finished.code, finished.stderr).toBe(0);
  return finished;
}

/** The log lines of a component. */
const said = ({ lines }: FinishedRun, label = 'init -> driver'): string[] =>
  lines.filter((line) => line.startsWith(`[${label}] `)).map((line) => line.slice(label.length + 3));

test('a granted directory gives access to its content, and no way out by ".." or links', async () => {
  mkdirSync(place.path('data/sub'), { recursive: true });
  writeFileSync(place.path('data/a.txt'), 'content');
  writeFileSync(place.path('outside.txt'), 'outside');
  symlinkSync('..', place.path('data/up'));
  symlinkSync('../outside.txt', place.path('data/link'));
  symlinkSync('a.txt', place.path('data/inner'));
  driver(
    'driver',
    `const data = await host.openDirectory('data');
    await attempt('list', async () => (await data.list()).map(({ name, kind }) => name + ' ' + kind).sort());
    for (const name of ['..', '../outside.txt', '/etc/passwd', 'sub/../../outside.txt', './a.txt', 'sub//x', 'a\\0b',
      'link', 'inner', 'up/outside.txt', 'up/data/a.txt'])
      await attempt(JSON.stringify(name), () => data.openFile(name, 'rw', { create: true }));
    await attempt('list of a link', () => data.list('up'));
    await attempt('status of a link', async () => (await data.status('link')).kind);
    await attempt('rename out', () => data.rename('a.txt', '../stolen.txt'));
    await attempt('make out', () => data.makeDirectory('up/made'));
    await attempt('remove out', () => data.remove('up/outside.txt'));
    await attempt('read', async () => {
      const file = await data.openFile('a.txt', 'ro');
      const into = new Uint8Array(file.sizeBytes);
      await file.read(into, 0);
      await file.close();
      return into;
    });
    await attempt('write', async () => {
      await data.makeDirectory('sub/new');
      const file = await data.openFile('sub/new/b.txt', 'rw', { create: true });
      await file.write(bytes('written'), 0);
      await file.sync();
      await file.close();
      await data.rename('sub/new/b.txt', 'sub/b.txt');
      return (await data.status('sub/b.txt')).sizeBytes;
    });
    await attempt('not empty', () => data.remove('sub'));
    await attempt('empty', () => data.remove('sub/new'));
    await attempt('twice', () => data.makeDirectory('sub'));
    await attempt('no access', () => data.openFile('a.txt'));
    const readable = await host.openDirectory('readable');
    for (const [what, action] of Object.entries({
      'write there': () => readable.openFile('x', 'rw', { create: true }),
      'make there': () => readable.makeDirectory('x'),
      'remove there': () => readable.remove('y'),
      'rename there': () => readable.rename('y', 'z'),
      'truncate there': () => readable.openFile('y', 'ro', { truncate: true }),
    })) await attempt(what, action);
    await data.close();
    await attempt('closed', () => data.list());
    await attempt('not granted', () => host.openDirectory('data/sub'));`,
  );
  mkdirSync(place.path('readable'));
  writeFileSync(place.path('readable/y'), 'y');
  const finished = await run(start('<directory path="data" access="rw"/> <directory path="readable"/>'));
  const names = ['..', '../outside.txt', '/etc/passwd', 'sub/../../outside.txt', './a.txt', 'sub//x', 'a\0b'];
  const links = ['link', 'inner', 'up/outside.txt', 'up/data/a.txt'];
  expect(said(finished)).toEqual([
    'list: ["a.txt file","inner link","link link","sub directory","up link"]',
    ...[...names, ...links].map((name) => `${JSON.stringify(name)}: Escapes`),
    'list of a link: Escapes',
    'status of a link: "link"',
    'rename out: Escapes',
    'make out: Escapes',
    'remove out: Escapes',
    'read: content',
    'write: 7',
    'not empty: NotEmpty',
    'empty: undefined',
    'twice: Exists',
    'no access: InvalidArgument',
    ...['write', 'make', 'remove', 'rename', 'truncate'].map((what) => `${what} there: NotGranted`),
    'closed: Closed',
    'not granted: NotGranted',
  ]);
  expect(readFileSync(place.path('outside.txt'), 'utf8')).toBe('outside');
  expect(readFileSync(place.path('data/sub/b.txt'), 'utf8')).toBe('written');
  expect(readdirSync(place.directory)).not.toContain('stolen.txt');
});

test('the target of a grant is looked up once, so links that are put in its way later lead nowhere', async () => {
  for (const name of ['data.txt', 'file.txt', 'replaced.txt', 'sub/inner.txt', 'folder/in.txt'])
    place.write(name, 'data');
  for (const name of ['secret.txt', 'other/inner.txt', 'other/in.txt']) place.write(name, 'secret');
  mkdirSync(place.path('names'));
  mkdirSync(place.path('signals'));
  symlinkSync('data.txt', place.path('alias.txt'));
  symlinkSync('/dev/zero', place.path('zero'));
  const servers = ['own.sock', 'secret.sock'].map((name) =>
    createServer((socket) => socket.end(name)).listen(place.path(name)),
  );
  driver(
    'driver',
    `const text = async (file) => {
        const into = new Uint8Array(file.sizeBytes);
        await file.read(into, 0);
        return into;
      };
      const signals = await host.openDirectory('signals');
      await env.log('ready');
      while ((await signals.list()).length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
      for (const path of ['file.txt', 'sub/inner.txt', 'alias.txt', 'replaced.txt'])
        await attempt(path, async () => text(await host.openFile(path, 'ro')));
      await attempt('folder', async () => text(await (await host.openDirectory('folder')).openFile('in.txt', 'ro')));
      await attempt('zero', async () => (await host.openDevice('zero', 'ro')).read(new Uint8Array(4)));
      await attempt('own.sock', async () => (await host.connect('unix:own.sock')).read());
      await attempt('names', async () => (await host.listen('unix:names/new.sock')).close());`,
  );
  place.write(
    'config.xml',
    systemConfig(
      start(`<directory path="signals"/> <directory path="folder"/> <device path="zero" access="ro"/>
        <file path="file.txt"/> <file path="sub/inner.txt"/> <file path="alias.txt"/> <file path="replaced.txt"/>
        <unix connect="own.sock"/> <unix listen="names/new.sock"/>`),
    ),
  );
  const running = place.start('config.xml');
  await running.until('ready');
  const swap = (name: string, target: string): void => {
    renameSync(place.path(name), place.path(`${name}.old`));
    symlinkSync(target, place.path(name));
  };
  for (const [name, target] of [
    ['file.txt', 'secret.txt'],
    ['sub', 'other'],
    ['folder', 'other'],
    ['alias.txt', 'secret.txt'],
    ['zero', '/dev/null'],
    ['own.sock', 'secret.sock'],
    ['names', 'other'],
  ] as const)
    swap(name, target);
  place.write('new.txt', 'newer');
  renameSync(place.path('new.txt'), place.path('replaced.txt'));
  place.write('signals/go', '');
  const finished = await running.finished;
  for (const server of servers) server.close();
  expect(finished.code, finished.stderr).toBe(0);
  expect(said(finished)).toEqual([
    'ready',
    'file.txt: Escapes',
    'sub/inner.txt: Escapes',
    'alias.txt: data',
    'replaced.txt: newer',
    'folder: Escapes',
    'zero: 4',
    'own.sock: Escapes',
    'names: Escapes',
  ]);
});

test('sockets are granted by address and port, and no others can be used', async () => {
  const elsewhere = createServer((socket) => socket.end('from outside'));
  await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
  const address = elsewhere.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  driver(
    'driver',
    `const listener = await host.listen('127.0.0.1:0');
    await attempt('address', () => /^127\\.0\\.0\\.1:\\d+$/.test(listener.address));
    for (const other of ['0.0.0.0:0', '127.0.0.1:1', 'localhost:0', '*:0', 'unix:other.sock'])
      await attempt('listen at ' + other, () => host.listen(other));
    for (const other of [listener.address, 'localhost:${port}', 'unix:other.sock'])
      await attempt('connect elsewhere', () => host.connect(other));
    const outside = await host.connect('127.0.0.1:${port}');
    await attempt('from outside', () => outside.read());
    await attempt('its end', () => outside.read());
    await outside.close();
    const unix = await host.listen('unix:own.sock');
    const [served, client] = await Promise.all([unix.accept(), host.connect('unix:own.sock')]);
    const memory = (await env.ram.allocate(1_000_000)).attach();
    memory.fill(7);
    const writing = client.write(memory);
    let count = 0;
    for (let some = await served.read(); some; some = await served.read()) {
      count += some.byteLength;
      if (some.some((byte) => byte !== 7)) await env.log('other bytes');
      if (count === memory.byteLength) break;
    }
    await writing;
    await client.end();
    await attempt('all of it', () => count);
    await attempt('the end', () => served.read());
    await served.write(bytes('answer'));
    await attempt('half open', () => client.read());
    await served.close();
    await attempt('gone', () => client.read());
    await attempt('write to nobody', () => client.write(bytes('x')));
    // The listener finds out by a connection whether somebody listens there.
    await attempt('in use', () => host.listen('unix:own.sock'));
    await (await unix.accept()).close();
    const waiting = unix.accept();
    await unix.close();
    await attempt('accept of a closed one', () => waiting);`,
  );
  const finished = await run(
    start(`<tcp listen="127.0.0.1:0"/> <tcp connect="127.0.0.1:${port}"/>
      <unix listen="own.sock"/> <unix connect="own.sock"/>`),
  );
  elsewhere.close();
  expect(said(finished)).toEqual([
    'address: true',
    ...['0.0.0.0:0', '127.0.0.1:1', 'localhost:0', '*:0', 'unix:other.sock'].map(
      (other) => `listen at ${other}: NotGranted`,
    ),
    ...[1, 2, 3].map(() => 'connect elsewhere: NotGranted'),
    'from outside: from outside',
    'its end: undefined',
    'all of it: 1000000',
    'the end: undefined',
    'half open: answer',
    'gone: undefined',
    expect.stringMatching(/^write to nobody: (Closed|InputOutput)$/),
    'in use: InUse',
    'accept of a closed one: Closed',
  ]);
  expect(readdirSync(place.directory)).not.toContain('own.sock');
});

test.runIf(process.platform === 'linux')(
  'devices and programs can be used as granted, and no others',
  async () => {
    driver(
      'driver',
      `const zero = await host.openDevice('/dev/zero', 'ro');
    await attempt('zeros', () => zero.read(new Uint8Array(16)));
    await zero.close();
    await attempt('closed', () => zero.read(new Uint8Array(16)));
    await attempt('write', () => host.openDevice('/dev/zero', 'rw'));
    await attempt('other device', () => host.openDevice('/dev/null', 'ro'));
    const cat = await host.run('/bin/cat');
    await cat.input.write(bytes('meow'));
    await attempt('output', () => cat.output.read());
    await cat.input.end();
    await attempt('end of output', () => cat.output.read());
    await attempt('ended', () => cat.ended);
    const env_ = await host.run('/usr/bin/env');
    await attempt('environment', async () => new TextDecoder().decode(await env_.output.read()).split('\\n').map((line) => line.split('=')[0]).sort());
    const sleep = await host.run('/bin/sleep', ['1000']);
    sleep.kill();
    await attempt('killed', () => sleep.ended);
    await attempt('missing', () => host.run('/bin/there-is-no-such-program'));
    await attempt('other program', () => host.run('/bin/false'));
    await attempt('bad argument', () => host.run('/bin/cat', ['a\\0b']));
    const place = await host.workplace('/bin/sh');
    const script = await place.directory.openFile('script', 'rw', { create: true });
    await script.write(bytes('echo made > file; i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; cat'), 0);
    const listener = await place.listen('socket');
    const cat2 = await place.run(['script']);
    await cat2.input.write(bytes('purr'));
    await attempt('output in a workplace', () => cat2.output.read());
    await attempt('has used a CPU', async () => (await cat2.cpuUs()) > 0);
    await attempt('files of a workplace', async () => (await place.directory.list()).map(({ name }) => name).sort().join());
    const [near, far] = await Promise.all([place.connect('socket'), listener.accept()]);
    await near.write(bytes('through'));
    await attempt('socket of a workplace', () => far.read());
    await attempt('socket elsewhere', () => place.listen('../socket'));
    await attempt('second run', () => place.run());
    await cat2.input.end();
    await attempt('ended in a workplace', () => cat2.ended);
    await attempt('time of none', () => cat2.cpuUs());
    await attempt('end of output in a workplace', () => cat2.output.read());
    await place.close();
    await attempt('closed workplace', () => place.listen('other'));
    await attempt('other workplace', () => host.workplace('/bin/false'));
    const none = await host.workplace('/bin/there-is-no-such-program');
    await attempt('missing in a workplace', () => none.run());
    await none.close();`,
    );
    const programs = ['/bin/cat', '/bin/sh', '/bin/sleep', '/usr/bin/env', '/bin/there-is-no-such-program'];
    const finished = await run(
      start(
        `<device path="/dev/zero" access="ro"/> ${programs.map((path) => `<program path="${path}"/>`).join(' ')}`,
      ),
    );
    expect(said(finished)).toEqual([
      'zeros: 16',
      'closed: Closed',
      'write: NotGranted',
      'other device: NotGranted',
      'output: meow',
      'end of output: undefined',
      'ended: {"code":0}',
      'environment: ["","LANG","PATH"]',
      'killed: {"signal":"SIGTERM"}',
      'missing: NotFound',
      'other program: NotGranted',
      'bad argument: Unsupported',
      'output in a workplace: purr',
      'has used a CPU: true',
      'files of a workplace: "file,script,socket"',
      'socket of a workplace: through',
      'socket elsewhere: Escapes',
      'second run: Unsupported',
      'ended in a workplace: {"code":0}',
      'time of none: undefined',
      'end of output in a workplace: undefined',
      'closed workplace: Closed',
      'other workplace: NotGranted',
      'missing in a workplace: NotFound',
    ]);
  },
);

/** Private directories of programs on this machine, with the process that keeps each. */
const workplaces = (): { name: string; keeper: string }[] =>
  readdirSync('/tmp').flatMap((name) => {
    const keeper = /^ginit-run-(\d+)-/.exec(name)?.[1];
    return keeper === undefined ? [] : [{ name, keeper }];
  });

/** Private directories that nobody keeps any more. */
const abandoned = (): string[] =>
  workplaces().flatMap(({ name, keeper }) => (existsSync(`/proc/${keeper}`) ? [] : [name]));

/** Processes that run with this argument. */
const running = (argument: string): string[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(join('/proc', pid, 'cmdline'), 'utf8')
          .split('\0')
          .includes(argument);
      } catch {
        return false;
      }
    });

test.runIf(process.platform === 'linux').for(['process', 'thread'])(
  'a program ends with its driver, a %s, and so does its workplace, whichever way the driver ends',
  async (isolation, context) => {
    skipIfLong(context, isolation === 'thread');
    const seconds = `1${process.pid}${isolation === 'thread' ? 1 : 2}`;
    driver(
      'driver',
      `await host.run('/bin/sleep', ['${seconds}']);
      const place = await host.workplace('/bin/sleep');
      await place.directory.openFile('file', 'rw', { create: true });
      await place.listen('socket');
      await place.run(['${seconds}']);
      await env.log('runs'); await new Promise(() => {});`,
    );
    const starts = start('<program path="/bin/sleep"/>', `isolation="${isolation}"`);
    place.write('config.xml', systemConfig(starts));
    // A terminal interrupts all processes of ginit at once; others kill them so.
    const wholeGroup = -1;
    for (const [signal, which] of [
      ['SIGTERM', 1],
      ['SIGKILL', 1],
      ['SIGINT', wholeGroup],
      ['SIGKILL', wholeGroup],
    ] as const) {
      const before = workplaces().length;
      const system = place.start('config.xml');
      await system.until('[init -> driver] runs');
      expect(running(seconds)).toHaveLength(3);
      expect(workplaces().length).toBeGreaterThan(before);
      process.kill(which * (system.child.pid ?? 0), signal);
      await system.finished;
      await expect.poll(() => running(seconds), { timeout: 10_000 }).toEqual([]);
      await expect.poll(abandoned, { timeout: 10_000 }).toEqual([]);
      expect(await system.leftOver()).toEqual([]);
    }
  },
);

describe('grants are handed on', () => {
  beforeEach(() => place.write('data.txt', 'content'));

  const READER = `await attempt('grants', () => host.grants);
    for (const access of ['rw', 'ro']) await attempt(access, async () => {
      const file = await host.openFile('data.txt', access);
      const into = new Uint8Array(file.sizeBytes);
      await file.read(into, 0);
      return into;
    });`;

  test('by a nested init, whole or for reading only, and it is no driver itself', async () => {
    driver('driver', READER);
    const inner = systemConfig(start('<file path="data.txt" access="ro"/>'));
    const finished =
      await run(`<start name="sub" ram="32M" caps="2000"> <binary name="init"/> <exit propagate="yes"/>
      <host> <file path="data.txt" access="rw"/> </host> ${inner} </start>`);
    expect(said(finished, 'init -> sub -> driver')).toEqual([
      'grants: [{"kind":"file","path":"data.txt","access":"ro"}]',
      'rw: NotGranted',
      'ro: content',
    ]);
  });

  test('but a nested init has nothing to hand on that its own start node does not grant', async () => {
    driver('driver', READER);
    const inner = systemConfig(start('<file path="data.txt" access="rw"/>'));
    for (const own of [
      '',
      '<host> <file path="data.txt" access="ro"/> </host>',
      '<host> <file path="x" access="rw"/> </host>',
    ]) {
      place.write(
        'config.xml',
        systemConfig(
          `<start name="sub" ram="32M" caps="2000"> <binary name="init"/> ${own} ${inner} </start>`,
        ),
      );
      const { code, stderr } = await place.run('config.xml');
      expect(code).toBe(2);
      expect(stderr).toMatch(
        /^config\.xml:\d+:\d+: start node "sub" has no <file path="data.txt" access="rw"\/> to hand on to "driver" \(add it to the <host> of "sub"\)$/m,
      );
    }
  });

  test('by any component that starts others, from the grants that it has itself', async () => {
    driver('reader', READER);
    driver(
      'driver',
      `await attempt('more than it has', () => host.grant({ kind: 'file', path: 'data.txt', access: 'rw' }));
      await attempt('something else', () => host.grant({ kind: 'directory', path: 'data.txt', access: 'ro' }));
      const grant = await host.grant({ kind: 'file', path: 'data.txt', access: 'ro' });
      await attempt('as itself says', () => grant.fact());
      const options = { name: 'reader', binary: './reader.mjs', config: { type: 'config', at: [1, 1] } };
      const kid = new Offspring(env, { ...options, isolation: 'process', ram: 2 ** 20, caps: 100, grants: [grant] });
      await kid.start();
      await kid.over;
      await kid.end();`,
      `import { Offspring } from './offspring.mjs';`,
    );
    const finished = await run(
      `<binary name="./reader.mjs"/> ${start('<file path="data.txt"/>', 'ram="8M" caps="400" isolation="thread"')}`,
    );
    expect(said(finished)).toEqual([
      'more than it has: NotGranted',
      'something else: NotGranted',
      'as itself says: {"kind":"file","path":"data.txt","access":"ro"}',
    ]);
    expect(said(finished, 'init -> driver -> reader')).toEqual([
      'grants: [{"kind":"file","path":"data.txt","access":"ro"}]',
      'rw: NotGranted',
      'ro: content',
    ]);
  });

  /** A driver that uses the host without `env.host`. */
  const TOUCHING = `import { readFileSync } from 'node:fs';
    import { component } from '${CORE_URL}';
    export default component({ host: ['file'] }, async (env) => {
      await env.log(readFileSync(env.config.node.value('file'), 'utf8'));
      env.exit(0);
    });`;

  test('a driver that imports modules of Node runs with a grant, or not at all', async () => {
    place.write('touching.mjs', TOUCHING);
    driver(
      'driver',
      `const config = { type: 'config', at: [1, 1], attributes: [['file', ${JSON.stringify(place.path('data.txt'))}, 1, 1]] };
      const start = (grants) => new Offspring(env,
        { name: 'kid', binary: './touching.mjs', config, isolation: 'process', ram: 2 ** 20, caps: 100, grants }).start();
      await attempt('without', () => start([]));`,
      `import { Offspring } from './offspring.mjs';`,
    );
    const finished = await run(
      `<binary name="./touching.mjs"/> ${start('<file path="data.txt"/>', 'ram="8M" caps="400" isolation="thread"')}`,
    );
    expect(said(finished)).toEqual(['without: DENIED']);
    expect(finished.stdout).not.toContain('content');
  });

  test('a component is no driver only because its manifest says so', async () => {
    place.write('touching.mjs', TOUCHING.replace('host:', 'mayHost:'));
    place.write('config.xml', systemConfig('<start name="a"> <binary name="./touching.mjs"/> </start>'));
    const { code, stderr } = await place.run('config.xml');
    expect(code).toBe(2);
    expect(stderr).toMatch(/^config\.xml:7:\d+: component ".\/touching.mjs" imports .*node:fs/m);
  });

  test('a grant that the manifest does not ask for cannot be used', async () => {
    place.write(
      'driver.mjs',
      `import { component } from '${CORE_URL}';
      export default component(async (env) => {
        await env.host.openFile('data.txt', 'ro').catch((error) => env.log(error.message));
        env.exit(0);
      });`,
    );
    expect(said(await run(start('<file path="data.txt"/>')))).toEqual([
      `the component's manifest does not ask for <file path="data.txt" access="ro"/>: host: ['file']`,
    ]);
  });
});

test('the simulator refuses grants that it cannot simulate, with the reason', async () => {
  mkdirSync(place.path('data'));
  driver(
    'driver',
    `await attempt('directory', () => host.openDirectory('data'));
    await attempt('device', () => host.openDevice('/dev/zero', 'ro'));
    await attempt('listen', () => host.listen('127.0.0.1:0'));
    await attempt('connect', () => host.connect('unix:x'));
    await attempt('program', () => host.run('/bin/cat'));
    await attempt('not granted', () => host.run('/bin/sh'));`,
  );
  place.write(
    'config.xml',
    systemConfig(
      start(`<directory path="data"/> <device path="/dev/zero"/> <tcp listen="127.0.0.1:0"/> <unix connect="x"/>
        <program path="/bin/cat"/>`),
    ),
  );
  const finished = await place.run('sim', '--seed', '1', 'config.xml');
  expect(finished.code, finished.stderr).toBe(0);
  expect(said(finished)).toEqual([
    ...['directory', 'device', 'listen', 'connect', 'program'].map((what) => `${what}: NotSimulated`),
    'not granted: NotGranted',
  ]);
});
