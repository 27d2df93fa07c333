/**
 * The control socket: where it is, who has it, what goes over it, and what becomes of dead ones.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openControlDoor } from '../src/command/control-door.ts';
import { removeIfDead, standingOf } from '../src/command/control/dead.ts';
import {
  ControlClient,
  ControlError,
  type ControlHandlers,
  ControlServer,
  controlDirectory,
  defaultNames,
  directoryProblem,
  findSystem,
  othersSystems,
  runningSystems,
  socketPath,
  SYSTEM_NAME_MAX,
  systemNameProblem,
} from '../src/command/control/index.ts';
import { LineReader } from '../src/command/control/protocol.ts';

let directory: string;
const servers: ControlServer[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'gc-'));
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  rmSync(directory, { recursive: true, force: true });
});

async function serve(handlers: ControlHandlers, name = 'shop'): Promise<ControlServer> {
  const server = await ControlServer.listen(directory, name, { pid: 7, config: '/srv/shop.xml' }, handlers);
  if (!(server instanceof ControlServer)) throw new Error(JSON.stringify(server));
  servers.push(server);
  return server;
}

async function connect(name = 'shop'): Promise<ControlClient> {
  const client = await ControlClient.connect(socketPath(directory, name));
  if (!(client instanceof ControlClient)) throw new Error(JSON.stringify(client));
  return client;
}

/** A socket whose listener was killed. */
async function deadSocket(name: string): Promise<string> {
  const path = socketPath(directory, name);
  const listen = `require('net').createServer().listen(process.argv[1], () => console.log('up'))`;
  const child = spawn(process.execPath, ['-e', listen, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  return path;
}

describe('places and names', () => {
  test('the path of a socket does not depend on HOME or TMPDIR, and is short for every user and name', () => {
    const long = `/${'d'.repeat(200)}`;
    expect(controlDirectory({ HOME: long, TMPDIR: long }, 4_294_967_295)).toBe('/tmp/ginit-4294967295');
    const path = socketPath('/tmp/ginit-4294967295', 'n'.repeat(SYSTEM_NAME_MAX));
    expect(Buffer.byteLength(`${path}.1234567890`)).toBeLessThan(100);
  });

  test('a directory of sockets that is too long, foreign, open to others or none is refused or mended', () => {
    expect(directoryProblem(`/${'d'.repeat(80)}`)).toContain('GINIT_RUNTIME_DIR');
    expect(directoryProblem('relative')).toContain('absolute');
    writeFileSync(join(directory, 'file'), '');
    expect(directoryProblem(join(directory, 'file'))).toContain('no directory');
    symlinkSync(directory, join(directory, 'link'));
    expect(directoryProblem(join(directory, 'link'))).toContain('no directory');
    expect(directoryProblem(join(directory, 'missing'))).toContain('ENOENT');
    mkdirSync(join(directory, 'open'));
    chmodSync(join(directory, 'open'), 0o755);
    expect(directoryProblem(join(directory, 'open'), true)).toBeUndefined();
    expect(statSync(join(directory, 'open')).mode & 0o777).toBe(0o700);
  });

  test('a system gets the name of its config, and a hash of the whole path where that is taken', () => {
    expect(defaultNames('/srv/shop.xml')).toEqual(['shop', expect.stringMatching(/^shop-[0-9a-f]{6}$/)]);
    expect(defaultNames('/a/shop.xml')[1]).not.toBe(defaultNames('/b/shop.xml')[1]);
    for (const file of ['/.xml', '/-.xml', '/ä ö.hid', `/${'x'.repeat(200)}.xml`, '/a b/c d.e.xml']) {
      for (const name of defaultNames(file))
        expect([file, systemNameProblem(name)]).toEqual([file, undefined]);
    }
  });

  test.each(['', '.', '..', '-x', 'a/b', 'a b', 'ä', 'n'.repeat(SYSTEM_NAME_MAX + 1)])(
    '%j names no system',
    (name) => {
      expect(systemNameProblem(name)).toBeDefined();
    },
  );
});

describe('the protocol', () => {
  test('lines are put together from pieces, whatever their borders, and are bounded', () => {
    const reader = new LineReader(8);
    const bytes = Buffer.from('ä\nbc\n\nd');
    const lines = [...bytes].flatMap((byte) => reader.take(Uint8Array.of(byte)));
    expect(lines).toEqual(['ä', 'bc', '']);
    expect(() => reader.take(Buffer.from('12345678'))).toThrow(RangeError);
  });

  test('requests are answered side by side, by items and one end; errors have codes', async () => {
    let release = (): void => {};
    await serve({
      slow: () => new Promise<string>((resolve) => (release = () => resolve('slow'))),
      quick: async (args, { send }) => {
        await send(1);
        await send({ two: args });
      },
      refuse: () => {
        throw new ControlError('REFUSED', 'not now');
      },
      fault: () => {
        throw new Error('a fault');
      },
    });
    const client = await connect();
    expect(client.greeting).toEqual({ ginit: 1, system: 'shop', pid: 7, config: '/srv/shop.xml' });
    const slow = client.ask('slow');
    const items: unknown[] = [];
    expect(await client.ask('quick', { a: 1 }, { item: (item) => void items.push(item) })).toBeNull();
    expect(items).toEqual([1, { two: { a: 1 } }]);
    await expect(client.ask('refuse')).rejects.toMatchObject({ code: 'REFUSED', message: 'not now' });
    await expect(client.ask('fault')).rejects.toMatchObject({ code: 'FAILED' });
    await expect(client.ask('toString')).rejects.toMatchObject({ code: 'UNKNOWN_REQUEST' });
    release();
    expect(await slow).toBe('slow');
    client.close();
  });

  test('a client that gives a request up, or goes, is told to the handler; what runs at a time is bounded', async () => {
    const gone: unknown[] = [];
    await serve({
      follow: (_args, { signal }) =>
        new Promise<void>((resolve) =>
          signal.addEventListener('abort', () => {
            gone.push('aborted');
            resolve();
          }),
        ),
    });
    const client = await connect();
    const stop = new AbortController();
    const following = client.ask('follow', {}, { signal: stop.signal });
    stop.abort();
    await expect(following).rejects.toMatchObject({ code: 'CANCELLED' });
    const many = Array.from({ length: 33 }, () => client.ask('follow'));
    await expect(many[32]).rejects.toMatchObject({ code: 'LIMIT' });
    client.close();
    for (const one of many.slice(0, 32))
      await expect(one).rejects.toMatchObject({ message: 'the system has ended' });
    while (gone.length < 33) await new Promise(setImmediate);
  });

  test('a stream waits for a client that does not read', async () => {
    const count = { sent: 0, seen: -1 };
    await serve({
      flood: async (_args, { send, signal }) => {
        while (!signal.aborted) {
          await send('x'.repeat(64 * 1024));
          count.sent++;
        }
      },
    });
    const socket = createConnection(socketPath(directory, 'shop'));
    socket.pause();
    socket.write('{"id":1,"do":"flood"}\n');
    while (count.seen !== count.sent || count.sent === 0) {
      count.seen = count.sent;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    // What the kernel keeps for both ends, and the stream's own buffer.
    expect(count.sent).toBeLessThan(200);
    socket.destroy();
  });

  test.each(['no json\n', '[]\n', '{"id":-1,"do":"x"}\n', '{"id":1}\n', `${'x'.repeat(70_000)}`])(
    'what is no request (%.20j) ends the connection with an error, and nobody else’s',
    async (line) => {
      await serve({ ping: () => 'pong' });
      const client = await connect();
      const socket = createConnection(socketPath(directory, 'shop'));
      let heard = '';
      socket.setEncoding('utf8').on('data', (text: string) => (heard += text));
      socket.on('error', () => {});
      socket.write(line);
      await once(socket, 'close');
      expect(heard).toContain('BAD_REQUEST');
      expect(await client.ask('ping')).toBe('pong');
      client.close();
    },
  );
});

describe('systems side by side', () => {
  test('a socket is private, and is gone when its system has ended', async () => {
    const server = await serve({});
    const path = socketPath(directory, 'shop');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory)).toEqual(['shop.sock']);
    server.close();
    expect(readdirSync(directory)).toEqual([]);
    expect(await standingOf(path)).toBe('missing');
  });

  test('a dead socket is recognised and removed; a live one is not, and its name is taken', async () => {
    const dead = await deadSocket('old');
    expect(await standingOf(dead)).toBe('dead');
    await serve({});
    expect(await runningSystems(directory)).toEqual(['shop']);
    expect(existsSync(dead)).toBe(false);
    expect(await removeIfDead(socketPath(directory, 'shop'))).toBe(false);
    const second = await ControlServer.listen(directory, 'shop', { pid: 8, config: '/x' }, {});
    expect(second).toEqual({ kind: 'taken', name: 'shop' });
    expect(readdirSync(directory)).toEqual(['shop.sock']);
  });

  test('a name whose holder was killed is free again, and of several systems that want it one gets it', async () => {
    await deadSocket('shop');
    const wanted = Array.from({ length: 5 }, (_, pid) =>
      ControlServer.listen(directory, 'shop', { pid, config: `/${pid}` }, {}),
    );
    const got = (await Promise.all(wanted)).filter((one) => one instanceof ControlServer);
    servers.push(...got);
    expect(got).toHaveLength(1);
    (await connect()).close();
  });

  test('one config runs once under its own name, two configs of one name side by side', async () => {
    const open = async (config: string, name?: string) => {
      const door = await openControlDoor(config, name, {}, directory);
      if ('server' in door) servers.push(door.server);
      return 'server' in door ? door.server.name : door;
    };
    expect(await open('/a/shop.xml')).toBe('shop');
    expect(await open('/b/shop.xml')).toMatch(/^shop-[0-9a-f]{6}$/);
    for (const again of ['/a/shop.xml', '/b/shop.xml']) {
      expect(await open(again)).toEqual({ refused: expect.stringContaining(`${again}); to run one more`) });
    }
    expect(await open('/a/shop.xml', 'second')).toBe('second');
    expect(await open('/c.xml', 'second')).toEqual({
      refused: expect.stringContaining('"second" runs already'),
    });
  });

  test('a name that somebody holds who does not say who he is leaves a config the other one', async () => {
    const silent = createServer((socket) => void socket.destroy());
    await new Promise<void>((resolve) => silent.listen(socketPath(directory, 'shop'), resolve));
    const door = await openControlDoor('/a/shop.xml', undefined, {}, directory);
    if (!('server' in door)) throw new Error(JSON.stringify(door));
    servers.push(door.server);
    expect(door.server.name).toMatch(/^shop-[0-9a-f]{6}$/);
    silent.close();
  });

  test('a command finds the only system, or the one that is named; otherwise it says which there are', async () => {
    expect(await findSystem(undefined, directory)).toMatchObject({ absent: true });
    await serve({});
    const only = await findSystem(undefined, directory);
    expect('client' in only && only.client.greeting.system).toBe('shop');
    if ('client' in only) only.client.close();
    await serve({}, 'bank');
    expect(await findSystem(undefined, directory)).toEqual({
      problem:
        'several systems run: choose one by --system NAME\nrunning: bank (/srv/shop.xml)\nrunning: shop (/srv/shop.xml)',
    });
    expect(await findSystem('mill', directory)).toMatchObject({
      problem: expect.stringContaining(
        'no system "mill" runs\nrunning: bank (/srv/shop.xml)\nrunning: shop (/srv/shop.xml)',
      ),
      absent: true,
    });
    const byPath = await findSystem(join(directory, 'bank.sock'), directory);
    expect('client' in byPath && byPath.client.greeting.system).toBe('bank');
    if ('client' in byPath) byPath.client.close();
  });

  test('systems of other users are named by the processes that everybody can see', () => {
    const process_ = (pid: number, ...words: string[]): void => {
      mkdirSync(join(directory, String(pid)));
      writeFileSync(join(directory, String(pid), 'cmdline'), `${words.join('\0')}\0`);
    };
    process_(11, 'node', '/opt/ginit/bin/ginit.js', '--ram', '1G', 'shop.xml');
    process_(12, 'node', '/opt/ginit/bin/ginit.js', 'ps');
    process_(13, 'node', '/opt/ginit/bin/ginit.js', 'check', 'bad.xml');
    process_(14, 'vi', 'shop.xml');
    process_(15, 'ginit', 'dev', 'mill.xml');
    const own = statSync(directory).uid;
    const found = othersSystems(directory, own + 1);
    expect(found.map(({ pid, config }) => [pid, config])).toEqual([
      [11, 'shop.xml'],
      [15, 'mill.xml'],
    ]);
    expect(othersSystems(directory, own)).toEqual([]);
  });

  test('a command that finds no system of its user names those of others, whether it wants one by name or not', async () => {
    const others = () => [{ owner: 'ada', pid: 11, config: 'shop.xml' }];
    const told = "\nother users' systems run, which only they can look into:\nof ada: shop.xml (process 11)";
    expect(await findSystem(undefined, directory, others)).toEqual({
      problem: `no system of yours runs${told}`,
      absent: true,
    });
    expect(await findSystem('mill', directory, others)).toEqual({
      problem: `no system "mill" runs${told}`,
      absent: true,
    });
  });
});
