/**
 * Tests links over a real nats-server when the network is bad: messages that are lost, doubled and
 * late, partitions before and after the lease, nodes that are stopped or killed, and hosts that
 * lose each other.
 */
import { randomBytes } from 'node:crypto';
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { Identity, newSeed } from '@ginit/core/nats';
import { skipIfLong } from '../harness/long.ts';
import { NatsProxy } from '../harness/nats-proxy.ts';
import { NatsServer, noNatsServer } from '../harness/nats-server.ts';
import { NetworkHost } from '../harness/network-host.ts';
import { missingOf, PATH } from '../harness/programs.ts';
import { Random } from '../../packages/simulator/src/order/random.ts';
import { CLUSTER, newIdentity, open, REPLY_BYTES, soon, TestNodes, until } from './bus-nodes.ts';

const NODE = fileURLToPath(new URL('./node-process.mjs', import.meta.url));
const LEASE_MS = 1000;
/** A link that is cut is over by then: two leases and a quarter. */
const OVER_MS = 2.25 * LEASE_MS;

const nodes = new TestNodes();
const disposables: AsyncDisposable[] = [];
const children: ChildProcess[] = [];

afterEach(async () => {
  nodes.close();
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const one of disposables.splice(0).toReversed()) await one[Symbol.asyncDispose]();
});

async function startServer(...identities: readonly { readonly publicKey: string }[]): Promise<NatsServer> {
  const server = await NatsServer.start(
    CLUSTER,
    identities.map(({ publicKey }) => publicKey),
  );
  disposables.push(server);
  return server;
}

async function startProxy(server: NatsServer): Promise<NatsProxy> {
  const chance = new Random(1).stream('proxy');
  const proxy = await NatsProxy.start(server.url, () => chance.below(1_000_000) / 1_000_000);
  disposables.push(proxy);
  return proxy;
}

/** A node in a process of its own, and what it has said. */
class NodeProcess {
  readonly child: ChildProcess;
  readonly said: Record<string, unknown>[] = [];
  #rest = '';

  /** `prefix`: a command that runs another one. */
  constructor(options: object, prefix: readonly string[] = []) {
    const [file = '', ...words] = [...prefix, process.execPath, NODE, JSON.stringify(options)];
    this.child = spawn(file, words, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, PATH },
    });
    children.push(this.child);
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#hear(text));
  }

  #hear(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.said.push(JSON.parse(line));
  }

  /** All that it has said of one thing. */
  all(name: string): unknown[] {
    return this.said.filter((one) => name in one).map((one) => one[name]);
  }
}

describe.skipIf(noNatsServer !== undefined)(`a bad network (${noNatsServer ?? 'installed'})`, () => {
  const seeds = [newSeed(randomBytes(32)), newSeed(randomBytes(32))] as const;
  const [a, b] = [newIdentity(), new Identity(seeds[1])];

  test('what is lost, doubled, late and overtaken arrives once, whole and in order', async () => {
    const proxy = await startProxy(await startServer(a, b));
    const [first, second] = [await nodes.make(a, proxy.url), await nodes.make(b, proxy.url)];
    const { channel, answers, ended } = await open(first, b.publicKey);
    proxy.faults = { lostPerMille: 60, doubledPerMille: 60, delayedPerMille: 120, delayMsMax: 150 };
    const lengths = Array.from({ length: 30 }, (_, number) => 1 + ((number * 7919) % 90_000));
    for (const length of lengths) {
      channel.send(new Uint8Array(length), []);
      await soon(2);
    }
    await until(() => answers.length === lengths.length || ended() !== undefined);
    expect(second.lengths).toEqual(lengths);
    expect(answers).toEqual(lengths.map(() => REPLY_BYTES));
    const { lost, doubled, delayed } = proxy.counts;
    expect([lost > 0, doubled > 0, delayed > 0]).toEqual([true, true, true]);
    expect([...first.unlinked, ...second.unlinked]).toEqual([]);
  });

  test('a node that nothing reaches for half a lease has lost nothing', async () => {
    const server = await startServer(a, b);
    const proxy = await startProxy(server);
    const [first, second] = [await nodes.make(a, proxy.url), await nodes.make(b, server.url)];
    const { channel, answers, ended } = await open(first, b.publicKey);
    for (const cut of [() => proxy.stall(true), () => proxy.cut(true)]) {
      const before = answers.length;
      cut();
      for (let time = 0; time < 10; time++) channel.send(new Uint8Array(1000), []);
      await soon(500);
      proxy.stall(false);
      proxy.heal();
      await until(() => answers.length === before + 10 || ended() !== undefined);
    }
    expect(second.lengths).toEqual(Array.from({ length: 20 }, () => 1000));
    expect([ended(), ...first.unlinked, ...second.unlinked]).toEqual([undefined]);
  });

  test('after the lease both ends are told, and what was under way never arrives', async () => {
    const server = await startServer(a, b);
    const proxy = await startProxy(server);
    const lease = { leaseMs: LEASE_MS };
    const first = await nodes.make(a, proxy.url, lease);
    const second = await nodes.make(b, server.url, lease);
    const { channel, answers, ended } = await open(first, b.publicKey);
    channel.send(new Uint8Array(10), []);
    await until(() => answers.length === 1);
    const sinceMs = performance.now();
    proxy.stall(true);
    let left = 0;
    for (let time = 0; time < 10; time++) channel.send(new Uint8Array(100), [], () => left++);
    await until(() => ended() !== undefined && second.unlinked.length > 0);
    // A bound of the protocol; the rest is for a machine that is slow to wake up.
    expect(performance.now() - sinceMs).toBeLessThan(OVER_MS + 10_000);
    expect(ended()).toBe('its node does not answer any more');
    expect(second.unlinked).toEqual(['its node does not answer any more']);
    proxy.stall(false);
    const again = await open(first, b.publicKey);
    again.channel.send(new Uint8Array(7), []);
    await until(() => again.answers.length === 1);
    expect(second.lengths).toEqual([10, 7]);
    expect(left).toBeGreaterThan(0);
  });

  test('a node that was stopped for longer than its lease takes nothing of the old link when it goes on', async () => {
    const server = await startServer(a, b);
    const node = new NodeProcess({ url: server.url, seed: seeds[1], leaseMs: LEASE_MS });
    await until(() => node.said.length > 0);
    const first = await nodes.make(a, server.url, { leaseMs: LEASE_MS });
    const { channel, answers, ended } = await open(first, b.publicKey);
    channel.send(new Uint8Array(100), []);
    await until(() => answers.length === 1);
    node.child.kill('SIGSTOP');
    while (ended() === undefined) {
      channel.send(new Uint8Array(100), []);
      await soon();
    }
    node.child.kill('SIGCONT');
    await until(() => node.all('ended').length > 0);
    expect([node.all('taken'), node.all('ended')]).toEqual([[1], ['its node does not answer any more']]);
    expect(answers).toEqual([4]);
    const again = await open(first, b.publicKey);
    again.channel.send(new Uint8Array(100), []);
    await until(() => again.answers.length === 1);
    expect(node.all('taken')).toEqual([1, 2]);
  });

  test('a node that is killed in the middle of calls ends its links after the lease; its next life gets new ones', async (context) => {
    skipIfLong(context);
    const server = await startServer(a, b);
    const options = { url: server.url, seed: seeds[1], leaseMs: LEASE_MS };
    const node = new NodeProcess(options);
    await until(() => node.said.length > 0);
    const first = await nodes.make(a, server.url, { leaseMs: LEASE_MS });
    const { channel, answers, ended } = await open(first, b.publicKey);
    for (let time = 0; time < 100; time++) channel.send(new Uint8Array(10_000), []);
    await until(() => answers.length > 10);
    node.child.kill('SIGKILL');
    await until(() => ended() !== undefined);
    const next = new NodeProcess(options);
    await until(() => next.said.length > 0);
    const again = await open(first, b.publicKey);
    again.channel.send(new Uint8Array(10), []);
    await until(() => again.answers.length === 1);
    expect(next.all('taken')).toEqual([1]);
  });

  test('a node that reads slowly costs its peer no more than the windows, and holds up no other', async (context) => {
    skipIfLong(context);
    const third = newIdentity();
    const server = await startServer(a, b, third);
    const proxy = await startProxy(server);
    const first = await nodes.make(a, server.url);
    await nodes.make(b, proxy.url);
    await nodes.make(third, server.url);
    const slow = await open(first, b.publicKey);
    const quick = await open(first, third.publicKey);
    slow.channel.send(new Uint8Array(1), []);
    await until(() => slow.answers.length === 1);
    proxy.stall(true);
    let left = 0;
    for (let time = 0; time < 100; time++) {
      slow.channel.send(new Uint8Array(100_000), [], () => left++);
      quick.channel.send(new Uint8Array(100_000), []);
    }
    await until(() => quick.answers.length === 100);
    // One channel has a window of 1 MiB.
    expect(left).toBe(10);
    proxy.stall(false);
    await until(() => slow.answers.length === 101);
  });
});

const namespaces = process.getuid?.() === 0 ? missingOf('nats-server', 'ip') : 'only for root';

describe.skipIf(namespaces !== undefined)(`two hosts (${namespaces ?? 'network namespaces'})`, () => {
  const hosts = [new NetworkHost(0), new NetworkHost(1)] as const;
  const [, away] = hosts;
  afterEach(() => {
    for (const host of hosts) host[Symbol.dispose]();
  });

  test('lose each other for less than a lease unnoticed, and for more with notice', async (context) => {
    context.skip(!hosts.every((host) => host.make()), 'no network namespaces here');
    const seeds = hosts.map(() => newSeed(randomBytes(32)));
    const keys = seeds.map((seed) => new Identity(seed).publicKey);
    const server = await NatsServer.start(CLUSTER, keys, {}, '0.0.0.0');
    disposables.push(server);
    const start = (index: 0 | 1, peer?: string): NodeProcess => {
      const { gateway, prefix } = hosts[index];
      const url = `nats://${gateway}:${server.port}`;
      return new NodeProcess({ url, seed: seeds[index], leaseMs: 2000, peer }, prefix);
    };
    const callee = start(1);
    await until(() => callee.all('ready').length > 0);
    const caller = start(0, keys[1]);
    const answers = (): number => caller.all('answer').length;
    await until(() => callee.all('linked').length > 0);
    caller.child.stdin?.write('x');
    await until(() => answers() === 1);
    away.connect(false);
    caller.child.stdin?.write('x');
    await soon(300);
    expect(answers()).toBe(1);
    away.connect(true);
    await until(() => answers() === 2);
    expect([...caller.all('ended'), ...callee.all('ended')]).toEqual([]);
    away.connect(false);
    caller.child.stdin?.write('x');
    await until(() => caller.all('ended').length + callee.all('ended').length === 2);
    expect(callee.all('taken')).toEqual([1, 2]);
  });
});
