/** Tests nodes on nats-servers with TLS, and on two nats-servers that are one bus. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { NatsBus } from '@ginit/core/nats';
import { skipIfLong } from '../harness/long.ts';
import { NatsServer } from '../harness/nats-server.ts';
import { freePort, makeCertificates, missingOf } from '../harness/programs.ts';
import { CLUSTER, newIdentity, open, REPLY_BYTES, soon, TestNodes, until } from './bus-nodes.ts';

const missing = missingOf('nats-server', 'openssl');
const nodes = new TestNodes();
const [a, b] = [newIdentity(), newIdentity()];
const keys = [a.publicKey, b.publicKey];
const servers: NatsServer[] = [];
let directory = '';
const path = (name: string): string => join(directory, name);
const pem = (name: string): string => readFileSync(path(name), 'utf8');

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'ginit-certificates-'));
  if (missing === undefined) makeCertificates(directory);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));
afterEach(async () => {
  nodes.close();
  for (const server of servers.splice(0)) await server[Symbol.asyncDispose]();
});

async function start(settings: Parameters<typeof NatsServer.start>[2]): Promise<NatsServer> {
  const server = await NatsServer.start(CLUSTER, keys, settings);
  servers.push(server);
  return server;
}

describe.skipIf(missing !== undefined)(`TLS (${missing ?? 'installed'})`, () => {
  const tls = () => ({ cert: path('server-cert.pem'), key: path('server-key.pem') });

  /** The first thing that a node that does not get in has to say. */
  async function complaintOf(server: string, options: { ca?: string; cert?: string; key?: string }) {
    const stop = new AbortController();
    const complaint = new Promise<string>((complain) => {
      const wanted = { servers: [server], identity: a, tls: options, complain };
      NatsBus.connect(wanted, stop.signal).catch(() => {});
    });
    const text = await complaint;
    stop.abort();
    return text;
  }

  test('a node takes the certificate of its server, by its name and by its address', async () => {
    const { url } = await start({ tls: tls() });
    const secure = url.replace('nats:', 'tls:');
    const options = { tls: { ca: pem('ca-cert.pem') } };
    const first = await nodes.make(a, secure, options);
    await nodes.make(b, secure.replace('127.0.0.1', 'localhost'), options);
    const { channel, answers } = await open(first, b.publicKey);
    channel.send(new Uint8Array(100), []);
    await until(() => answers.length === 1);
    expect(answers).toEqual([REPLY_BYTES]);
  });

  test('and no certificate that nobody has signed whom it trusts', async () => {
    const { url } = await start({ tls: tls() });
    expect(await complaintOf(url, {})).toMatch(/^bus: cannot connect to .*(self.signed|unable to)/);
  });

  test('a server that wants certificates of nodes lets in only those who have one', async (context) => {
    skipIfLong(context);
    const { url } = await start({ tls: { ...tls(), ca: path('ca-cert.pem') } });
    const ca = pem('ca-cert.pem');
    expect(await complaintOf(url, { ca })).toMatch(/^bus: cannot connect to /);
    const own = { cert: pem('client-cert.pem'), key: pem('client-key.pem') };
    const first = await nodes.make(a, url, { tls: { ca, ...own } });
    expect(first.bus.connected).toBe(true);
    expect(first.complaints).toEqual([]);
  });

  test('an address tls: is never reached without TLS', async () => {
    const { url } = await start({});
    const stop = new AbortController();
    const complaint = new Promise<string>((complain) => {
      const options = { servers: [url.replace('nats:', 'tls:')], identity: a, complain };
      NatsBus.connect(options, stop.signal).catch(() => {});
    });
    expect(await complaint).toMatch(/^bus: cannot connect to tls:.*tls/);
    stop.abort();
  });

  test('options that are malformed are refused at once', async () => {
    const complain = (): void => {};
    const wrong = [
      [{ servers: [] }, 'no address of a nats-server'],
      [{ servers: ['http://x:1'] }, '"http://x:1" is no address of a nats-server'],
      [{ servers: ['nats://a:b@x:1'] }, 'has no password here'],
      [{ servers: ['nats://x'], tls: { cert: pem('client-cert.pem') } }, 'needs its key'],
      [{ servers: ['nats://x'], tls: { ca: '-----BEGIN CERTIFICATE-----\nx\n' } }, 'cannot be used'],
    ] as const;
    for (const [options, message] of wrong) {
      await expect(NatsBus.connect({ ...options, complain })).rejects.toThrow(message);
    }
  });

  test('a server whose name nobody knows is asked for again and again', async () => {
    const stop = new AbortController();
    const complaint = new Promise<string>((complain) => {
      const options = { servers: ['nats://nobody.invalid:4222'], identity: a, complain };
      NatsBus.connect(options, stop.signal).catch((error: Error) => complain(`rejected: ${error.message}`));
    });
    expect(await complaint).toMatch(/^bus: cannot connect to nats:\/\/nobody\.invalid:4222: /);
    stop.abort();
  });
});

describe.skipIf(missing !== undefined)('two nats-servers that are one bus', () => {
  test('nodes of both talk to each other; a node whose server dies goes to the other within the lease', async () => {
    const [one, two] = [await freePort(), await freePort()];
    const tls = {
      cert: path('server-cert.pem'),
      key: path('server-key.pem'),
      ca: path('ca-cert.pem'),
    };
    const routes = (own: number, other: number) => ({
      routes: { listen: `127.0.0.1:${own}`, others: [`127.0.0.1:${other}`] },
      tls,
    });
    const first = await start(routes(one, two));
    const second = await start(routes(two, one));
    const own = { ca: pem('ca-cert.pem'), cert: pem('client-cert.pem'), key: pem('client-key.pem') };
    const node = await nodes.make(a, [first.url, second.url], { tls: own });
    const other = await nodes.make(b, second.url, { tls: own });
    const { channel, answers, ended } = await open(node, b.publicKey);
    channel.send(new Uint8Array(10), []);
    await until(() => answers.length === 1);
    await first.stop();
    for (let time = 0; time < 5; time++) {
      channel.send(new Uint8Array(1000 + time), []);
      await soon(20);
    }
    await until(() => answers.length === 6);
    expect(other.lengths).toEqual([10, 1000, 1001, 1002, 1003, 1004]);
    expect([ended(), ...node.unlinked, ...other.unlinked]).toEqual([undefined]);
  });
});
