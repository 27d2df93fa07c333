/** Tests nodes on a real nats-server: links, restarts of the server, denials, and revoked keys. */
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  BusNode,
  type BusNodeOwner,
  Identity,
  type LinkChannel,
  NatsBus,
  newSeed,
  SystemClock,
} from '@ginit/core/nats';
import { skipIfLong } from '../harness/long.ts';
import { NatsServer, noNatsServer } from '../harness/nats-server.ts';

const CLUSTER = 'test';
const REPLY_BYTES = 300_000;

const newIdentity = (): Identity => new Identity(newSeed(randomBytes(32)));
const soon = (ms = 20): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function until(done: () => boolean): Promise<void> {
  while (!done()) await soon();
}

class TestNode {
  readonly bus: NatsBus;
  readonly node: BusNode;
  readonly complaints: string[];
  readonly unlinked: string[] = [];
  /** The lengths of the frames that have come. */
  readonly lengths: number[] = [];

  constructor(bus: NatsBus, identity: Identity, complaints: string[]) {
    this.bus = bus;
    this.complaints = complaints;
    const owner: BusNodeOwner = {
      accepts: () => undefined,
      opened: (_peer, _ticket, channel) => {
        this.#listen(channel);
        return undefined;
      },
      unlinked: (_peer, reason) => void this.unlinked.push(reason),
    };
    this.node = new BusNode({ bus, cluster: CLUSTER, identity, clock: new SystemClock(), owner });
  }

  #listen(channel: LinkChannel): void {
    channel.closed(() => {});
    channel.receive((frame) => {
      this.lengths.push(frame.byteLength);
      channel.send(new Uint8Array(REPLY_BYTES).fill(7), []);
    });
  }
}

const made: TestNode[] = [];
let server: NatsServer;

async function newNode(identity: Identity, url = server.url): Promise<TestNode> {
  const complaints: string[] = [];
  const complain = (text: string): void => void complaints.push(text);
  const bus = await NatsBus.connect({ servers: [url], identity, complain });
  const node = new TestNode(bus, identity, complaints);
  made.push(node);
  return node;
}

/** A channel, and the lengths of the answers that have come. */
async function open(
  from: TestNode,
  to: string,
): Promise<{ channel: LinkChannel; answers: number[]; ended: () => string | undefined }> {
  const channel = await from.node.open(to, Buffer.from('ticket'));
  const answers: number[] = [];
  let reason: string | undefined;
  channel.closed((why) => (reason = why ?? 'closed'));
  channel.receive((frame) => answers.push(frame.byteLength));
  return { channel, answers, ended: () => reason };
}

describe.skipIf(noNatsServer !== undefined)(`on a real nats-server (${noNatsServer ?? 'installed'})`, () => {
  const [a, b] = [newIdentity(), newIdentity()];

  beforeEach(async () => {
    server = await NatsServer.start(CLUSTER, [a.publicKey, b.publicKey]);
  });

  afterEach(async () => {
    for (const { node, bus } of made.splice(0)) {
      node.close();
      bus.close();
    }
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

  test('a revoked key ends its links, gives a line or two and no storm, and may come back', async (context) => {
    skipIfLong(context);
    const first = await newNode(a);
    await newNode(b);
    const { answers, channel } = await open(first, b.publicKey);
    channel.send(new Uint8Array(1), []);
    await until(() => answers.length === 1);
    server.configure(CLUSTER, [b.publicKey]);
    server.reload();
    await until(() => first.complaints.length > 0);
    await soon(1500);
    expect(first.bus.connected).toBe(false);
    expect(first.complaints.length).toBeLessThanOrEqual(3);
    expect(first.complaints.join()).toMatch(/auth/i);
    server.configure(CLUSTER, [a.publicKey, b.publicKey]);
    server.reload();
    await until(() => first.bus.connected);
    channel.send(new Uint8Array(1), []);
    await until(() => answers.length === 2);
  });
});
