/** Tests nodes on a real nats-server: links, restarts of the server, denials, and revoked keys. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { NatsBus } from '@ginit/core/nats';
import { skipIfLong } from '../harness/long.ts';
import { NatsServer, noNatsServer } from '../harness/nats-server.ts';
import {
  CLUSTER,
  newIdentity,
  open,
  REPLY_BYTES,
  soon,
  type TestNode,
  TestNodes,
  until,
} from './bus-nodes.ts';

const nodes = new TestNodes();
let server: NatsServer;
const newNode = (identity: ReturnType<typeof newIdentity>): Promise<TestNode> =>
  nodes.make(identity, server.url);

describe.skipIf(noNatsServer !== undefined)(`on a real nats-server (${noNatsServer ?? 'installed'})`, () => {
  const [a, b] = [newIdentity(), newIdentity()];

  beforeEach(async () => {
    server = await NatsServer.start(CLUSTER, [a.publicKey, b.publicKey]);
  });

  afterEach(async () => {
    nodes.close();
    await server[Symbol.asyncDispose]();
  });

  test('frames of every length arrive in both directions, each node with the rights of its own key only', async () => {
    const [first, second] = [await newNode(a), await newNode(b)];
    const { channel, answers } = await open(first, b.publicKey);
    const lengths = [1, 1000, 5_000_000, 3];
    for (const length of lengths) channel.send(new Uint8Array(length).fill(1), []);
    await until(() => answers.length === lengths.length);
    expect(second.lengths).toEqual(lengths);
    expect(answers).toEqual(lengths.map(() => REPLY_BYTES));
    expect([...first.complaints, ...second.complaints]).toEqual([]);
  });

  test('a restart of the server within the lease is invisible', async (context) => {
    skipIfLong(context);
    const [first, second] = [await newNode(a), await newNode(b)];
    const { channel, answers, ended } = await open(first, b.publicKey);
    channel.send(new Uint8Array(10), []);
    await until(() => answers.length === 1);
    await server.stop();
    for (let time = 0; time < 10; time++) channel.send(new Uint8Array(1000 + time), []);
    await soon(100);
    await server.start();
    await until(() => answers.length === 11);
    expect(second.lengths.slice(1)).toEqual(Array.from({ length: 10 }, (_, time) => 1000 + time));
    expect(ended()).toBeUndefined();
    expect([...first.unlinked, ...second.unlinked]).toEqual([]);
  });

  test('a node starts before its server, and says once that it waits', async (context) => {
    skipIfLong(context);
    await server.stop();
    const complaints: string[] = [];
    const connecting = NatsBus.connect({
      servers: [server.url],
      identity: a,
      complain: (text) => complaints.push(text),
    });
    await soon(1500);
    await server.start();
    const bus = await connecting;
    expect(bus.connected).toBe(true);
    expect(complaints).toEqual([expect.stringMatching(/^bus: cannot connect to nats:.*REFUSED/)]);
    bus.close();
  });

  test('a node stops waiting for its server when it is told to', async (context) => {
    skipIfLong(context);
    await server.stop();
    const stop = new AbortController();
    const connecting = NatsBus.connect(
      { servers: [server.url], identity: a, complain: () => {} },
      stop.signal,
    );
    await soon(100);
    stop.abort();
    await expect(connecting).rejects.toThrow('no nats-server was found');
  });

  test('a node that the bus does not let speak is told at once, with subject and key', async () => {
    server.configure('another', [a.publicKey, b.publicKey]);
    server.reload();
    await soon(200);
    const first = await newNode(a);
    await expect(open(first, b.publicKey)).rejects.toThrow(
      `the bus does not let ${a.publicKey} subscribe to "ginit.test.to.${a.publicKey}.*"`,
    );
    const denials = first.complaints.filter((text) => text.includes(`does not let ${a.publicKey}`));
    expect(denials.length).toBeGreaterThan(0);
    expect(new Set(denials).size).toBe(denials.length);
  });

  test('a revoked key gives one line and no storm, and may come back', async (context) => {
    skipIfLong(context);
    const first = await newNode(a);
    await newNode(b);
    const { answers, channel } = await open(first, b.publicKey);
    channel.send(new Uint8Array(1), []);
    await until(() => answers.length === 1);
    server.configure(CLUSTER, [b.publicKey]);
    server.reload();
    await until(() => first.complaints.length > 0);
    await soon(2500);
    expect(first.bus.connected).toBe(false);
    const told = `${server.url} does not let ${a.publicKey} in (authorization violation)`;
    expect(first.complaints).toEqual([`bus: ${told}`]);
    server.configure(CLUSTER, [a.publicKey, b.publicKey]);
    server.reload();
    await until(() => first.bus.connected);
    channel.send(new Uint8Array(1), []);
    await until(() => answers.length === 2);
  });

  test('a right that is taken away ends the calls concerned at once, with subject and key', async () => {
    const [first, second] = [await newNode(a), await newNode(b)];
    const { answers, channel, ended } = await open(first, b.publicKey);
    channel.send(new Uint8Array(1), []);
    await until(() => answers.length === 1);
    server.configure('another', [a.publicKey, b.publicKey]);
    server.reload();
    await until(() => ended() !== undefined);
    expect(ended()).toMatch(
      new RegExp(`^the bus does not let ${a.publicKey} (publish|subscribe) to "ginit\\.test\\.to\\.`),
    );
    await until(() => second.unlinked.length > 0);
    expect(second.unlinked[0]).toContain(`the bus does not let ${b.publicKey}`);
  });

  test('a server that begins to take shorter messages is told, and left until it takes them again', async () => {
    const [first] = [await newNode(a), await newNode(b)];
    const { answers, channel } = await open(first, b.publicKey);
    server.configure(CLUSTER, [a.publicKey, b.publicKey], { payloadBytesMax: 20_000 });
    server.reload();
    await soon(200);
    channel.send(new Uint8Array(200_000), []);
    const told = `bus: ${server.url} takes shorter messages than before: 20000 bytes`;
    await until(() => first.complaints.includes(told));
    server.configure(CLUSTER, [a.publicKey, b.publicKey]);
    server.reload();
    await until(() => answers.length === 1);
  });

  test('a bus whose server stands still can be closed', async (context) => {
    skipIfLong(context);
    const { bus } = await newNode(a);
    server.hold(true);
    // The sockets of a process that does not end keep it alive; here it is the client's own word.
    const sockets = (): number =>
      process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
    const before = sockets();
    bus.close();
    await until(() => sockets() < before);
    server.hold(false);
  });
});
