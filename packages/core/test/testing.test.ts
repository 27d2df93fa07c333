/** `@ginit/core/testing`: one component with scripted peers. */
import {
  type Capability,
  capability,
  component,
  dataspace,
  type Dataspace,
  hasCode,
  integer,
  nothing,
  rpc,
  rpcInterface,
  session,
  SessionError,
  text,
} from '@ginit/core';
import { type BlockBackend, Block, BlockClient, serveBlock } from '@ginit/core/block';
import { attribute, ConfigNode, element } from '@ginit/core/config';
import type { HostFile } from '@ginit/core/host';
import type { HostPlatform } from '@ginit/core/platform';
import { runComponent, script } from '@ginit/core/testing';
import { describe, expect, test } from 'vitest';

const Greeter = session('Greeter', {
  greet: rpc<(name: string) => string>({ args: [text(64)], result: text() }),
});

const GREETER_CONFIG = element('config', 'Greets', {
  attributes: { greeting: attribute.text('What to say', { fallback: 'Hello' }) },
  children: [
    element('friend', 'Who is known', { attributes: { name: attribute.text('Name', { required: true }) } }),
  ],
});

const greeter = component({ provides: [Greeter], config: GREETER_CONFIG }, (env) => {
  env.provide(Greeter, ({ label }) => ({
    greet: (name) => {
      const { greeting, $children } = env.config.read(GREETER_CONFIG);
      const known = $children.friend.some((friend) => friend.name === name);
      return `${greeting}, ${known ? 'dear ' : ''}${name} (from ${label.last})`;
    },
  }));
});

describe('a server', () => {
  test('reads a config that is an object, and serves clients of the test', async () => {
    await using run = await runComponent(greeter, { config: { greeting: 'Hi', friend: [{ name: 'Ada' }] } });
    const session_ = await run.connect(Greeter);
    expect(await session_.greet('Ada')).toBe('Hi, dear Ada (from client)');
    const guest = await run.client('guest');
    expect(await (await guest.connect(Greeter)).greet('Bob')).toBe('Hi, Bob (from guest)');
  });

  test('hears of a new config', async () => {
    await using run = await runComponent(greeter, { config: ConfigNode.make('config', { greeting: 'Hi' }) });
    const session_ = await run.connect(Greeter);
    await run.configure({ greeting: 'Bye' });
    expect(await session_.greet('Ada')).toBe('Bye, Ada (from client)');
  });

  test('that crashes is gone for its clients, and its reason is known', async () => {
    await using run = await runComponent(greeter);
    const session_ = await run.connect(Greeter);
    await run.crash();
    await expect(session_.greet('Ada')).rejects.toMatchObject({ code: 'PeerGone' });
    await expect(run.connect(Greeter)).rejects.toThrow('it has crashed: crashed by the test');
    expect(await run.crashed()).toEqual({ reason: 'crashed by the test', error: undefined });
  });

  test('whose client crashes closes the session of it', async () => {
    const closed: string[] = [];
    const server = component({ provides: [Greeter] }, (env) => {
      env.provide(Greeter, ({ label }) => ({
        greet: (name) => name,
        [Symbol.dispose]: () => void closed.push(label.last),
      }));
    });
    await using run = await runComponent(server);
    const guest = await run.client('guest');
    await guest.connect(Greeter);
    await guest.crash();
    await guest.close();
    expect(closed).toEqual(['guest']);
  });

  test('that announces nothing is named when somebody connects', async () => {
    await using run = await runComponent(
      component({}, () => {}),
      { timeoutMs: 50 },
    );
    await expect(run.connect(Greeter)).rejects.toThrow(
      'the component has not announced the service "Greeter" (announced: none) within 50 ms',
    );
  });
});

const visitor = component({ requires: [Greeter] }, async (env) => {
  using session_ = await env.connect(Greeter, { label: 'door', args: { loud: true } });
  env.log(await session_.greet('world'));
  env.exit(3);
});

describe('a client', () => {
  test('finds what the test scripts: label, arguments, answer; and exits', async () => {
    const seen: unknown[] = [];
    const scripted = script(Greeter, ({ label, args }) => {
      seen.push(label.toString(), args);
      return { greet: (name) => `welcome, ${name}` };
    });
    await using run = await runComponent(visitor, { name: 'visitor', services: [scripted] });
    expect(await run.exited()).toBe(3);
    expect(run.log).toEqual(['welcome, world']);
    expect(seen).toEqual(['visitor -> door', { loud: true }]);
    const report = await run.end();
    expect(report).toMatchObject({
      exitCode: 3,
      crash: undefined,
      openSessions: [],
      unreleased: [],
      refused: [],
      problems: [],
    });
  });

  test('is told which service the test does not script', async () => {
    const run = await runComponent(visitor);
    const told = 'the component asks for a session "Greeter" (label "door"), and the test scripts none';
    const { reason, error } = await run.crashed();
    expect(reason).toContain(told);
    expect(error).toBeInstanceOf(SessionError);
    expect(run.refused).toEqual([told]);
    await run.end();
  });

  test('is refused by a script that throws a SessionError', async () => {
    const full = script(Greeter, () => {
      throw new SessionError('DENIED', 'no seat');
    });
    await using run = await runComponent(visitor, { services: [full] });
    expect((await run.crashed()).reason).toContain('no seat');
  });

  test('gets PeerGone when its peer crashes in the middle of a call', async () => {
    const silent = script(Greeter, () => ({ greet: () => new Promise<string>(() => {}) }));
    await using run = await runComponent(visitor, { services: [silent] });
    await run.peer(Greeter).crash();
    expect((await run.crashed()).error).toMatchObject({ code: 'PeerGone' });
  });

  test('that crashes and is not looked at fails the test', async () => {
    const run = await runComponent(component(() => Promise.reject(new Error('lost'))));
    await expect(run[Symbol.asyncDispose]()).rejects.toThrow('the component has crashed: Error: lost');
  });

  test('finds an error in a function of the test in the report', async () => {
    const broken = script(Greeter, () => ({
      greet: () => {
        throw new TypeError('a slip in the test');
      },
    }));
    const run = await runComponent(visitor, { services: [broken] });
    await run.crashed();
    const { problems } = await run.end();
    expect(problems.join('\n')).toMatch(/^peer "Greeter": Error: .*a slip in the test/);
  });
});

describe('time', () => {
  const bell = component(async (env) => {
    await env.timer.every(1000, async () => {
      env.log(`ring ${(await env.timer.elapsedUs()) / 1000} ${await env.timer.currentTimeMs()}`);
    });
  });

  test('stands still until the test moves it', async () => {
    await using run = await runComponent(bell, { startTimeMs: 5000 });
    await run.settle();
    expect(run.log).toEqual([]);
    await run.advance(2500);
    expect(run.log).toEqual(['ring 1000 6000', 'ring 2000 7000']);
    await run.advance(500);
    expect(run.log).toHaveLength(3);
  });

  test('that stands still is named as the reason for waiting', async () => {
    const sleeper = component(async (env) => {
      await env.timer.sleep(60_000);
      env.exit(0);
    });
    await using run = await runComponent(sleeper, { timeoutMs: 50 });
    await expect(run.exited()).rejects.toThrow(
      'within 50 ms; time stands still, and the next timeout is due in 60000 ms: advance(60000)',
    );
    await run.advance(60_000);
    expect(await run.exited()).toBe(0);
  });

  test('is real by choice', async () => {
    const short = component(async (env) => {
      await env.timer.sleep(1);
      env.exit(0);
    });
    await using run = await runComponent(short, { clock: 'real' });
    expect(await run.exited()).toBe(0);
    await expect(run.advance(1)).rejects.toThrow('the clock is real');
  });

  test('passes by itself for stop handlers', async () => {
    const orderly = component((env) => {
      env.onStop(async () => {
        await env.timer.sleep(3_600_000);
        await env.log('in order');
      });
    });
    const run = await runComponent(orderly);
    expect((await run.end()).log).toEqual(['in order']);
  });
});

const Thing = rpcInterface('Thing', { poke: rpc<() => number>({ args: [], result: integer() }) });
const Store = session('Store', {
  thing: rpc<() => Capability<typeof Thing>>({ args: [], result: capability(Thing) }),
  show: rpc<(memory: Dataspace) => void>({ args: [dataspace], result: nothing }),
});

describe('the end', () => {
  test('tells of capabilities and sessions that were not given back, and of memory that was not freed', async () => {
    const shown: number[] = [];
    const store = script(Store, (_context, env) => ({
      thing: () => env.capability(Thing, { poke: () => 7 }),
      show: (memory) => void shown.push(memory.attach()[0] ?? -1),
    }));
    const hoarder = component({ requires: [Store] }, async (env) => {
      const session_ = await env.connect(Store, { label: 'kept' });
      const [first, second] = await Promise.all([session_.thing(), session_.thing()]);
      const memory = await env.ram.allocate(8192);
      memory.attach()[0] = 42;
      await session_.show(memory);
      second[Symbol.dispose]();
      env.exit(await first.poke());
    });
    const run = await runComponent(hoarder, { services: [store], quota: { ram: 2 ** 20 } });
    expect(await run.exited()).toBe(7);
    expect(shown).toEqual([42]);
    const { ramUsed, ramQuota } = await run.account();
    expect(ramUsed).toBeGreaterThanOrEqual(8192);
    expect(ramQuota).toBeLessThan(2 ** 20);
    const report = await run.end();
    expect(report.openSessions).toEqual([{ service: 'Store', label: 'kept' }]);
    expect(report.unreleased).toEqual([{ owner: 'Store', count: 1 }]);
    expect(report.account?.ramUsed).toBe(ramUsed);
    expect(report.problems).toEqual([]);
  });

  test('comes although a stop handler never settles, and says so', async () => {
    const stubborn = component((env) => env.onStop(() => new Promise(() => {})));
    const run = await runComponent(stubborn, { timeoutMs: 50 });
    const { problems } = await run.end();
    expect(problems).toEqual(['the stop handlers of the component were not done within 50 ms']);
  });

  test('comes although a peer never answers a session request, and the component no client', async () => {
    const mute = script(Greeter, () => new Promise<never>(() => {}));
    const relay = component({ provides: [Greeter], requires: [Greeter] }, (env) => {
      env.provide(Greeter, async () => {
        const session_ = await env.connect(Greeter);
        return { greet: (name) => session_.greet(name) };
      });
    });
    const run = await runComponent(relay, { services: [mute], timeoutMs: 50 });
    await expect(run.connect(Greeter)).rejects.toThrow(
      'the component has not opened the session "Greeter" within 50 ms',
    );
    expect((await run.end()).problems).toEqual(['"client" was not closed within 50 ms']);
  });

  test('comes although the component and its peer never come to rest', async () => {
    const echo = script(Greeter, () => ({ greet: (name) => name }));
    const restless = component(async (env) => {
      const session_ = await env.connect(Greeter);
      for (;;) await session_.greet('on');
    });
    const run = await runComponent(restless, { services: [echo] });
    await expect(run.settle()).rejects.toThrow('messages go to and fro');
    expect((await run.end()).problems).toEqual([]);
  });

  test('is the same however often it is asked for', async () => {
    const run = await runComponent(greeter);
    const [first, second] = await Promise.all([run.end(), run.end()]);
    expect(first).toBe(second);
  });
});

describe('a packet stream', () => {
  const BLOCK_BYTES = 512;
  const sync = component({ requires: [Block] }, async (env) => {
    const blocks = await BlockClient.connect(env, { label: 'disk' });
    const content = new Uint8Array(BLOCK_BYTES).fill(7);
    await blocks.write(3, 1, content);
    await blocks.sync();
    await blocks.read(3, 1, content.fill(0));
    await blocks.close();
    env.exit(content[BLOCK_BYTES - 1] ?? 0);
  });

  test('of a scripted server carries the requests of the component', async () => {
    const disk = new Uint8Array(8 * BLOCK_BYTES);
    const done: string[] = [];
    const place = (block: number, count: number): [number, number] => [
      block * BLOCK_BYTES,
      (block + count) * BLOCK_BYTES,
    ];
    const backend: BlockBackend = {
      info: { blockSize: BLOCK_BYTES, blockCount: 8, alignLog2: 9, writeable: true },
      read: (block, count, into) => into.set(disk.subarray(...place(block, count))),
      write: (block, count, from) => {
        done.push(`write ${block}+${count}`);
        disk.set(from, block * BLOCK_BYTES);
      },
      sync: () => void done.push('sync'),
      trim: () => {},
      writeZeroes: () => {},
    };
    const block = script(Block, (session_) => serveBlock(session_, backend));
    await using run = await runComponent(sync, { services: [block] });
    expect(await run.exited()).toBe(7);
    expect(done).toEqual(['write 3+1', 'sync']);
    expect(disk[3 * BLOCK_BYTES]).toBe(7);
    const { openSessions, unreleased } = await run.end();
    expect([openSessions, unreleased]).toEqual([[], []]);
  });
});

test('a driver finds the host that the test makes up, as far as it is granted', async () => {
  const driver = component({ host: ['file'] }, async (env) => {
    const file = await env.host.openFile('disk.img', 'ro');
    await env.log(`${file.sizeBytes} bytes`);
    const code: unknown = await env.host.openFile('other.img', 'ro').catch((error: unknown) => error);
    // As a component in JavaScript may write it.
    const careless: Promise<unknown> = Reflect.apply(env.host.openFile, env.host, ['disk.img']);
    await careless.catch((error: unknown) => env.log(String(error)));
    env.exit(hasCode(code, 'NotGranted') ? 0 : 1);
  });
  const none = (): never => {
    throw new Error('the driver needs no more than a file');
  };
  const file: HostFile = {
    writeable: false,
    sizeBytes: 4096,
    read: none,
    write: none,
    size: none,
    onResized: none,
    sync: none,
    zero: none,
    discard: none,
    resize: none,
    close: async () => {},
  };
  const platform: HostPlatform = {
    openFile: async () => file,
    openDirectory: none,
    openDevice: none,
    listen: none,
    connect: none,
    run: none,
    workplace: none,
    mount: none,
  };
  const grants = [{ kind: 'file', path: 'disk.img', access: 'ro' }] as const;
  await using run = await runComponent(driver, { host: { grants, platform } });
  expect(await run.exited()).toBe(0);
  expect(run.log).toEqual(['4096 bytes', 'RpcError: access is undefined, and not "ro" or "rw"']);
});

test('names that cannot be are refused before anything starts', async () => {
  const echo = script(Greeter, () => ({ greet: (name) => name }));
  await expect(runComponent(greeter, { name: '' })).rejects.toThrow('the name "", which is empty');
  await expect(runComponent(visitor, { services: [echo, echo] })).rejects.toThrow(
    'two components of the test are named "Greeter"',
  );
});
