/**
 * Tests drivers in a jail: their grants work, a refusal says how the access would be allowed, and
 * an audit lists the grants that are needed.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
// Code that runs in a jail is compiled.
import { jailMeans } from '../../packages/core/dist/platform/jail/lacks.js';
import { type FinishedRun, GinitRun, systemConfig, Workplace } from '../harness/ginit.ts';
import { JAILABLE } from '../harness/jailable.ts';
import { installWithoutKoffi } from '../harness/without-koffi.ts';

const DRIVER = `import { component } from '@ginit/core';
import fs from 'node:fs';
import net from 'node:net';
import { spawn } from 'node:child_process';

export default component({ host: ['file', 'directory', 'tcp-listen'] }, async (env) => {
  const { open, shut, made, kept, port, other } = JSON.parse(env.config.node.value('settings') ?? '{}');
  const happened = (emitter, event) =>
    new Promise((resolve, reject) => emitter.once(event, resolve).once('error', reject));
  const attempts = {
    read: () => fs.readFileSync(open),
    readInPool: () => fs.promises.readFile(open),
    write: () => fs.appendFileSync(open, 'more'),
    make: () => fs.writeFileSync(made, 'new'),
    list: () => fs.readdirSync(kept),
    link: () => fs.symlinkSync(open, kept + '/link'),
    hardLink: () => fs.linkSync(open, kept + '/hard-link'),
    readOther: () => fs.readFileSync(shut),
    readOtherInPool: () => fs.promises.readFile(shut),
    readOtherByCallback: () =>
      new Promise((resolve, reject) => fs.readFile(shut, (error) => (error ? reject(error) : resolve()))),
    listen: async () => {
      const server = net.createServer().listen(port, '127.0.0.1');
      await happened(server, 'listening');
      server.close();
    },
    connect: async () => {
      const socket = net.connect(other, '127.0.0.1');
      await happened(socket, 'connect');
      socket.destroy();
    },
    run: () => happened(spawn(process.execPath, ['-e', '0']), 'exit'),
  };
  for (const [name, attempt] of Object.entries(attempts)) {
    let outcome = 'done';
    try {
      await attempt();
    } catch (error) {
      outcome = error.message;
    }
    await env.log(name + ': ' + outcome);
  }
  env.exit(0);
});`;

let place: Workplace;
let servers: Server[];
beforeEach(() => {
  place = new Workplace();
  servers = [];
});
afterEach(() => {
  for (const server of servers) server.close();
  place[Symbol.dispose]();
});

async function somePort(keep: boolean): Promise<number> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (keep) servers.push(server);
  else await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address ? address.port : 0;
}

interface Outcome extends FinishedRun {
  of(attempt: string): string | undefined;
  readonly other: number;
}

async function run(attributes: string, ...options: readonly string[]): Promise<Outcome> {
  const [port, other] = [await somePort(false), await somePort(true)];
  const kept = place.path('kept');
  mkdirSync(kept);
  const open = place.write('open', 'open');
  const settings = { open, shut: place.write('shut', 'shut'), made: `${kept}/made`, kept, port, other };
  place.write('driver.mjs', DRIVER);
  const text = JSON.stringify(settings).replaceAll('"', '&quot;');
  place.write(
    'config.xml',
    systemConfig(`<start name="driver" ${attributes}> <binary name="./driver.mjs"/> <exit propagate="yes"/>
      <host> <file path="open"/> <directory path="kept" access="rw"/> <tcp listen="127.0.0.1:${port}"/> </host>
      <config settings="${text}"/> </start>`),
  );
  const finished = await place.run(...options, 'config.xml');
  expect(finished.code, finished.stderr).toBe(0);
  const of = (attempt: string): string | undefined =>
    finished.lines.find((line) => line.startsWith(`[init -> driver] ${attempt}: `))?.split(`${attempt}: `)[1];
  return { ...finished, of, other };
}

describe.skipIf(!JAILABLE)('a driver (jails are for Linux on x64)', () => {
  test('reaches its grants in a jail, and nothing else', async () => {
    const { of, other } = await run('isolation="jail"');
    for (const granted of ['read', 'readInPool', 'make', 'list', 'listen']) expect(of(granted)).toBe('done');
    const shut = place.path('shut');
    for (const refused of ['readOther', 'readOtherInPool', 'readOtherByCallback']) {
      expect(of(refused)).toContain(`the jail refuses ${shut} to ${place.path('driver.mjs')}:`);
      expect(of(refused)).toContain(`<file path="${shut}" access="ro"/>`);
    }
    expect(of('write')).toContain(`<file path="${place.path('open')}" access="rw"/>`);
    expect(of('connect')).toContain(`<tcp connect="127.0.0.1:${other}"/>`);
    for (const link of ['link', 'hardLink']) expect(of(link)).toContain('EPERM');
    expect(of('run')).toContain('no grant allows that in a jail');
  });

  test('is not jailed unless its start node says so', async () => {
    const { of } = await run('');
    for (const open of ['readOther', 'write', 'connect', 'run', 'link', 'hardLink'])
      expect(of(open)).toBe('done');
  });

  test('runs without a jail in an audit, which ends with the grants that it takes', async () => {
    const { of, stderr, other } = await run('isolation="jail"', '--jail=audit');
    for (const open of ['readOther', 'write', 'connect', 'run']) expect(of(open)).toBe('done');
    expect(stderr).toContain('audit: [init -> driver] runs without a jail');
    const [open, shut, kept] = ['open', 'shut', 'kept'].map((name) => place.path(name));
    expect(stderr).toContain(`<file path="${open}" access="rw"/>  (used by ${place.path('driver.mjs')}:`);
    expect(stderr).toContain(`<file path="${shut}" access="ro"/>`);
    expect(stderr).toContain(`<directory path="${kept}" access="rw"/>`);
    expect(stderr).toContain(`<tcp connect="127.0.0.1:${other}"/>`);
    expect(stderr).not.toContain(`path="${kept}/made"`);
    expect(existsSync(`${kept}/made`)).toBe(true);
  });
});

const LISTENER = `import { component } from '@ginit/core';
import fs from 'node:fs';
export default component({ host: ['unix-listen'] }, async (env) => {
  const listener = await env.host.listen('unix:own.sock');
  await env.log('listens');
  try {
    fs.unlinkSync(env.config.node.value('other'));
    await env.log('removed');
  } catch (error) {
    await env.log('not removed: ' + error.code);
  }
  await listener.close();
  env.exit(0);
});`;

test.skipIf(!JAILABLE)(
  'a jailed listener takes over the name of a killed one, and removes nothing beside it',
  async () => {
    place.write('listener.mjs', LISTENER);
    const other = place.write('other', 'text');
    place.write(
      'config.xml',
      systemConfig(`<start name="listener" isolation="jail"> <binary name="./listener.mjs"/> <exit propagate="yes"/>
      <host> <unix listen="own.sock"/> </host> <config other="${other}"/> </start>`),
    );
    const listens = `require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', listens, place.path('own.sock')]);
    expect(lstatSync(place.path('own.sock')).isSocket()).toBe(true);
    // The name of the socket stays when its listener ends, and is taken over by the next one.
    for (const _ of ['first', 'second']) {
      const { code, stderr, lines } = await place.run('config.xml');
      expect(code, stderr).toBe(0);
      expect(lines).toContain('[init -> listener] listens');
      expect(lines).toContain('[init -> listener] not removed: EACCES');
    }
    expect(existsSync(other)).toBe(true);
  },
);

/** Uses devices and Unix sockets past \`env.host\`, and once through it. */
const SPECIAL = `import { component } from '@ginit/core';
import fs from 'node:fs';
import net from 'node:net';

export default component({ mayHost: ['device', 'unix-listen', 'unix-connect'] }, async (env) => {
  const { read, written, other, own, elsewhere, served, shut } = JSON.parse(env.config.node.value('settings') ?? '{}');
  const happened = (emitter, event) =>
    new Promise((resolve, reject) => emitter.once(event, resolve).once('error', reject));
  const open = (path, flags) => fs.closeSync(fs.openSync(path, flags));
  const listen = async (path) => {
    const server = net.createServer().listen(path);
    await happened(server, 'listening');
    return server;
  };
  const connect = async (path) => {
    const socket = net.connect(path);
    await happened(socket, 'connect');
    socket.destroy();
  };
  const attempts = {
    readDevice: () => {
      const bytes = Buffer.alloc(4, 1);
      const device = fs.openSync(read, 'r');
      fs.readSync(device, bytes);
      fs.closeSync(device);
      if (bytes.some((byte) => byte !== 0)) throw new Error('not what the device gives');
    },
    writeDevice: () => fs.writeFileSync(written, 'text'),
    deviceOfEnv: async () => (await env.host.openDevice(read, 'ro')).close(),
    writeReadOnlyDevice: () => open(read, 'r+'),
    otherDevice: () => open(other, 'r'),
    otherDeviceOfEnv: () => env.host.openDevice(other, 'ro'),
    listen: async () => {
      const server = await listen(own);
      const came = happened(server, 'connection');
      await env.log('listens');
      (await came).destroy();
      server.close();
    },
    listenElsewhere: () => listen(elsewhere),
    otherListenOfEnv: () => env.host.listen('unix:names/other.sock'),
    makeFileBeside: () => fs.writeFileSync(own + '.txt', 'x'),
    connectGranted: () => connect(served),
    connectOther: () => connect(shut),
    connectAbstract: () => connect('\\0' + shut),
  };
  for (const [name, attempt] of Object.entries(attempts)) {
    let outcome = 'done';
    try {
      await attempt();
    } catch (error) {
      outcome = (error.code ?? '') + ' ' + error.message;
    }
    await env.log(name + ': ' + outcome);
  }
  env.exit(0);
});`;

describe.skipIf(!JAILABLE)('a driver of devices and Unix sockets (jails are for Linux on x64)', () => {
  async function runSpecial(attributes: string, host: string): Promise<FinishedRun & Pick<Outcome, 'of'>> {
    const [served, shut] = ['served.sock', 'shut.sock'].map((name) => place.path(name)) as [string, string];
    for (const path of [served, shut, `\0${shut}`]) {
      const server = createServer((socket) => socket.destroy());
      await new Promise<void>((resolve) => server.listen(path, resolve));
      servers.push(server);
    }
    for (const name of ['names', 'elsewhere']) mkdirSync(place.path(name), { recursive: true });
    const own = place.path('names/own.sock');
    const settings = {
      read: '/dev/zero',
      written: '/dev/null',
      other: '/dev/full',
      own,
      elsewhere: place.path('elsewhere/new.sock'),
      served,
      shut,
    };
    place.write('special.mjs', SPECIAL);
    const text = JSON.stringify(settings).replaceAll('"', '&quot;');
    place.write(
      'config.xml',
      systemConfig(`<start name="driver" ${attributes}> <binary name="./special.mjs"/> <exit propagate="yes"/>
        <host> <device path="/dev/zero" access="ro"/> <device path="/dev/null" access="rw"/> ${host} </host>
        <config settings="${text}"/> </start>`),
    );
    const running = place.start('config.xml');
    if (host.includes('listen')) {
      await running.until('listens');
      const client = connect(own);
      await new Promise((resolve) => client.once('close', resolve).resume());
    }
    const finished = await running.finished;
    expect(finished.code, finished.stderr).toBe(0);
    const of = (attempt: string): string | undefined =>
      finished.lines
        .find((line) => line.startsWith(`[init -> driver] ${attempt}: `))
        ?.split(`${attempt}: `)[1];
    return { ...finished, of };
  }

  test('reaches the granted ones, and is refused the others by their names', async () => {
    const { of } = await runSpecial('isolation="jail"', '<unix listen="names/own.sock"/>');
    for (const granted of ['readDevice', 'writeDevice', 'deviceOfEnv', 'listen'])
      expect(of(granted)).toBe('done');
    expect(of('writeReadOnlyDevice')).toMatch(/^EACCES .*the jail refuses \/dev\/zero to .*access="rw"\/>/);
    expect(of('otherDevice')).toMatch(/^EACCES .*the jail refuses \/dev\/full to /);
    expect(of('otherDeviceOfEnv')).toContain('add <device path="/dev/full" access="ro"/>');
    const elsewhere = place.path('elsewhere/new.sock');
    expect(of('listenElsewhere')).toMatch(/^EACCES /);
    expect(of('listenElsewhere')).toContain(`<unix listen="${elsewhere}"/>`);
    expect(of('otherListenOfEnv')).toContain('add <unix listen="names/other.sock"/>');
    // A directory in which sockets may be made allows nothing else.
    expect(of('makeFileBeside')).toMatch(/^EACCES /);
    for (const refused of ['connectGranted', 'connectOther']) {
      expect(of(refused)).toMatch(/^E(?:PERM|ACCES) /);
      expect(of(refused)).toContain('<unix connect="');
    }
    expect(of('connectAbstract')).toMatch(/^E(?:PERM|ACCES) /);
  });

  test('reaches all of them without a jail', async () => {
    const { of } = await runSpecial('', '<unix listen="names/own.sock"/>');
    for (const open of [
      'readDevice',
      'writeReadOnlyDevice',
      'otherDevice',
      'listen',
      'listenElsewhere',
      'makeFileBeside',
      'connectGranted',
      'connectOther',
      'connectAbstract',
    ])
      expect(of(open), open).toBe('done');
  });

  const means = jailMeans();
  const bindsConnections = typeof means !== 'string' && means.landlock.abi >= 9;

  test.skipIf(!bindsConnections)(
    'connects to a granted socket only (that takes Landlock ABI 9)',
    async () => {
      const { of } = await runSpecial('isolation="jail"', '<unix connect="served.sock"/>');
      expect(of('connectGranted')).toBe('done');
      for (const refused of ['connectOther', 'connectAbstract', 'listen', 'listenElsewhere'])
        expect(of(refused)).toMatch(/^E(?:PERM|ACCES) /);
    },
  );

  test.skipIf(bindsConnections)(
    'is not started where connections cannot be bound (before Landlock ABI 9)',
    async () => {
      place.write('special.mjs', SPECIAL);
      place.write(
        'config.xml',
        systemConfig(`<start name="driver" isolation="jail"> <binary name="./special.mjs"/>
        <host> <unix connect="served.sock"/> </host> <config/> </start>`),
      );
      const running = place.start('config.xml');
      await running.until('it cannot be jailed: Landlock ABI');
      running.child.kill('SIGTERM');
      expect((await running.finished).stdout).toContain(
        'which Unix sockets are connected to (that takes ABI 9)',
      );
    },
  );
});

const IDLE = `import { component } from '@ginit/core';
export default component((env) => { env.log('up'); env.exit(0); });`;

function idle(...attributes: readonly string[]): string {
  place.write('idle.mjs', IDLE);
  const starts = attributes.map(
    (each, index) => `<start name="c${index}" ${each}> <binary name="./idle.mjs"/> </start>`,
  );
  place.write('config.xml', systemConfig(`${starts.join('\n')}`));
  return 'config.xml';
}

test('where no jail is possible, a default jail is left out with one line, and a child that demands a jail is not started', async () => {
  const command = installWithoutKoffi(place.directory);
  const config = idle('isolation="process"', 'isolation="process"', 'isolation="jail"');
  const running = new GinitRun([config], place.directory, command);
  const lack = /processes are not jailed: .*koffi/g;
  for (const text of ['[init -> c0] up', '[init -> c1] up', 'cannot be started: it cannot be jailed: '])
    await running.until(text);
  running.child.kill('SIGTERM');
  const { code, stderr } = await running.finished;
  expect(code, stderr).toBe(0);
  expect(stderr.match(lack)).toHaveLength(1);
  expect(await running.leftOver()).toEqual([]);
});

test.skipIf(!JAILABLE)('the summary says which components were jailed', async () => {
  const running = place.start('--summary', idle('isolation="process"', 'isolation="process" jail="no"', ''));
  for (const child of ['c0', 'c1', 'c2']) await running.until(`child "${child}" exited`);
  running.child.kill('SIGTERM');
  const { stderr } = await running.finished;
  expect(stderr).toMatch(/^ginit: init +process \d+, jailed/m);
  expect(stderr).toMatch(/^ginit: init -> c0 +process \d+, jailed/m);
  expect(stderr).toMatch(/^ginit: init -> c1 +process \d+(?!, jailed)/m);
});
