/**
 * A hostile user of a real nats-server, with credentials of its own and a client of its own: what it
 * tries is listed in docs/cluster.md. It neither hears nor changes anything, and nobody notices.
 */
import { connect, headers, type NatsConnection } from 'nats';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BusNode, Identity, NatsBus, newSeed, SystemClock } from '@ginit/core/nats';
import { NatsServer, noNatsServer } from '../harness/nats-server.ts';
import { CLUSTER, newIdentity, soon, until } from './bus-nodes.ts';

const HELLO = 1;
const to = (receiver: Identity, sender: Identity): string =>
  `ginit.${CLUSTER}.to.${receiver.publicKey}.${sender.publicKey}`;

const [a, b, hostile] = [newIdentity(), newIdentity(), newIdentity()];
const keys = [a, b, hostile].map(({ publicKey }) => publicKey);
const closing: (() => unknown)[] = [];
let server: NatsServer;
/** What the two have got from each other. */
let got: { a: number[]; b: number[] };
let ended: string[];
let send: (from: 'a' | 'b') => void;

/** Two nodes that know each other and nobody else, and a channel between them. */
async function join(): Promise<void> {
  got = { a: [], b: [] };
  ended = [];
  const sent = { a: 0, b: 0 };
  const number = (frame: Uint8Array): number => Buffer.from(frame).readUInt32LE(0);
  const node = async (identity: Identity, friend: Identity): Promise<BusNode> => {
    const bus = await NatsBus.connect({
      servers: [server.url],
      identity,
      complain: (text) => ended.push(text),
    });
    closing.push(() => bus.close());
    return new BusNode({
      bus,
      cluster: CLUSTER,
      identity,
      clock: new SystemClock(),
      owner: {
        accepts: (peer) => (peer === friend.publicKey ? undefined : 'not of this cluster'),
        opened: (_peer, _ticket, channel) => {
          channel.receive((frame) => got.b.push(number(frame)));
          channel.closed((reason) => ended.push(`b: ${reason}`));
          sendOf.b = (bytes) => channel.send(bytes, []);
          return undefined;
        },
        unlinked: (_peer, reason) => void ended.push(reason),
      },
    });
  };
  const sendOf: Record<'a' | 'b', (bytes: Uint8Array) => unknown> = { a: () => {}, b: () => {} };
  const first = await node(a, b);
  await node(b, a);
  const channel = await first.open(b.publicKey, Buffer.from('ticket'));
  channel.receive((frame) => got.a.push(number(frame)));
  channel.closed((reason) => ended.push(`a: ${reason}`));
  sendOf.a = (bytes) => channel.send(bytes, []);
  send = (from) => {
    const bytes = Buffer.alloc(200);
    bytes.writeUInt32LE(sent[from]++);
    sendOf[from](bytes);
  };
  await talk(5);
}

/** Both say something more, and everything arrives once and in order. */
async function talk(times: number): Promise<void> {
  const [fromA, fromB] = [got.b.length + times, got.a.length + times];
  for (let time = 0; time < times; time++) {
    send('a');
    await soon(2);
    if (got.b.length > 0) send('b');
    else {
      await until(() => got.b.length > 0);
      send('b');
    }
  }
  await until(() => got.b.length >= fromA && got.a.length >= fromB);
}

async function expectUnharmed(): Promise<void> {
  await talk(3);
  const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
  expect(got).toEqual({ a: numbers(got.a.length), b: numbers(got.b.length) });
  expect(ended).toEqual([]);
}

/** A client with the credentials of the hostile user, or with others'. */
async function intrude(signer = hostile, name = hostile.publicKey): Promise<NatsConnection> {
  const client = await connect({
    servers: server.url,
    reconnect: false,
    authenticator: (nonce?: string) => ({
      nkey: name,
      sig: Buffer.from(signer.sign(Buffer.from(nonce ?? ''))).toString('base64'),
    }),
  });
  closing.push(() => client.close());
  return client;
}

/** What the server has denied to a client. */
function denials(client: NatsConnection): string[] {
  const denied: string[] = [];
  void (async () => {
    for await (const { permissionContext } of client.status())
      if (permissionContext) denied.push(`${permissionContext.operation} ${permissionContext.subject}`);
  })();
  return denied;
}

describe.skipIf(noNatsServer !== undefined)(`a hostile user (${noNatsServer ?? 'installed'})`, () => {
  beforeEach(async () => {
    server = await NatsServer.start(CLUSTER, keys);
    await join();
  });
  afterEach(async () => {
    for (const close of closing.splice(0)) close();
    await server[Symbol.asyncDispose]();
  });

  test('hears nothing: every pattern but that of its own inbox is denied', async () => {
    const client = await intrude();
    const denied = denials(client);
    const patterns = [
      '>',
      '*.>',
      'ginit.>',
      `ginit.${CLUSTER}.>`,
      `ginit.${CLUSTER}.to.>`,
      `ginit.${CLUSTER}.to.*.*`,
      `ginit.${CLUSTER}.to.*.${a.publicKey}`,
      `ginit.${CLUSTER}.to.${b.publicKey}.*`,
      `ginit.${CLUSTER}.to.${b.publicKey}.>`,
      to(b, a),
      to(a, b),
      '_INBOX.>',
      '$SYS.>',
      '$JS.>',
    ];
    let heard = 0;
    const callback = (error: Error | null): void => {
      if (!error) heard++;
    };
    for (const pattern of patterns) {
      client.subscribe(pattern, { callback });
      client.subscribe(pattern, { callback, queue: 'nodes' });
    }
    client.subscribe(`ginit.${CLUSTER}.to.${hostile.publicKey}.*`, { callback });
    await expectUnharmed();
    await until(() => new Set(denied).size === patterns.length);
    expect(new Set(denied)).toEqual(new Set(patterns.map((pattern) => `subscription ${pattern}`)));
    expect(heard).toBe(0);
  });

  test('says nothing in another name, to the server, or by a subject with wildcards', async () => {
    const client = await intrude();
    const denied = denials(client);
    const others = [to(b, a), to(a, b), to(hostile, a), `ginit.other.to.${b.publicKey}.${hostile.publicKey}`];
    const system = [
      '$SYS.REQ.SERVER.PING',
      '$SYS.REQ.USER.INFO',
      '$SYS.REQ.ACCOUNT.PING.CONNZ',
      '$JS.API.INFO',
    ];
    const subjects = [...others, ...system, `${to(b, hostile)}.more`, '_INBOX.x'];
    for (const subject of subjects) client.publish(subject, Buffer.from('hello'));
    client.publish(`ginit.${CLUSTER}.to.>.${hostile.publicKey}`, Buffer.from('hello'));
    await until(() => denied.length >= subjects.length);
    expect(subjects.filter((subject) => !denied.includes(`publish ${subject}`))).toEqual([]);
    await expectUnharmed();
  });

  test('sends nodes what it likes in its own name: bytes, forged hellos, headers, subjects for answers', async () => {
    const client = await intrude();
    for (const receiver of [a, b]) {
      for (let kind = 0; kind < 8; kind++) {
        for (const length of [0, 1, 19, 20, 36, 200, 70_000]) {
          const bytes = Buffer.alloc(length, kind);
          if (length > 1) bytes.set([1, kind, 0, 0]);
          client.publish(to(receiver, hostile), bytes);
        }
      }
      const more = headers();
      more.set('Nats-Msg-Id', '1');
      client.publish(to(receiver, hostile), Buffer.alloc(50, HELLO), {
        headers: more,
        reply: to(b, hostile),
      });
      client.publish(to(receiver, hostile), Buffer.alloc(50, HELLO), { reply: to(a, b) });
    }
    await client.flush();
    await expectUnharmed();
  });

  test('shakes hands with its own key, and is refused', async () => {
    const bus = await NatsBus.connect({ servers: [server.url], identity: hostile, complain: () => {} });
    closing.push(() => bus.close());
    const owner = { accepts: () => undefined, opened: () => 'no' };
    const node = new BusNode({ bus, cluster: CLUSTER, identity: hostile, clock: new SystemClock(), owner });
    await expect(node.open(b.publicKey, Buffer.from('x'))).rejects.toThrow('refuses: not of this cluster');
    await expectUnharmed();
  });

  test('connects as somebody else, or with a key that nobody knows: it does not get in', async () => {
    const stranger = new Identity(newSeed(Buffer.alloc(32, 7)));
    await expect(intrude(hostile, a.publicKey)).rejects.toThrow(/authorization/i);
    await expect(intrude(stranger, stranger.publicKey)).rejects.toThrow(/authorization/i);
    await expect(connect({ servers: server.url, reconnect: false })).rejects.toThrow(/authorization/i);
    await expectUnharmed();
  });

  test('sends too long messages and subscribes without end: it loses its own connection', async () => {
    const client = await intrude();
    // The client would refuse it by itself.
    Reflect.set(client.info ?? {}, 'max_payload', 10_000_000);
    client.publish(to(b, hostile), new Uint8Array(300_000));
    expect(await client.closed()).toBeInstanceOf(Error);
    const second = await intrude();
    let told = '';
    void (async () => {
      for await (const { type, data } of second.status()) if (type === 'error') told += String(data);
    })();
    for (let time = 0; time < 40; time++) {
      second.subscribe(`ginit.${CLUSTER}.to.${hostile.publicKey}.*`, { callback: () => {} });
    }
    await until(() => told !== '' || second.isClosed());
    await expectUnharmed();
  });

  test('with rights that are too wide by mistake it sends again what it has overheard, as it was and changed', async () => {
    // Everybody may do everything: the worst mistake that there is.
    server.configure(CLUSTER, keys, { permissions: () => ({ publish: ['>'], subscribe: ['>'] }) });
    server.reload();
    await soon(300);
    const client = await intrude();
    const heard: { subject: string; data: Uint8Array }[] = [];
    client.subscribe(`ginit.${CLUSTER}.to.>`, {
      callback: (_error, { subject, data }) => void heard.push({ subject, data: data.slice() }),
    });
    await client.flush();
    await talk(10);
    const messages = heard.filter(({ subject }) => [to(a, b), to(b, a)].includes(subject));
    expect(messages.length).toBeGreaterThan(10);
    for (let round = 0; round < 3; round++) {
      for (const [index, { subject, data }] of messages.entries()) {
        client.publish(subject, data);
        client.publish(subject === to(a, b) ? to(b, a) : to(a, b), data);
        const changed = data.slice();
        const at = (index * 31 + round * 7) % changed.length;
        changed[at] = (changed[at] ?? 0) ^ 1;
        client.publish(subject, changed);
        client.publish(subject, changed.subarray(0, at));
      }
    }
    await client.flush();
    await expectUnharmed();
  });
});
