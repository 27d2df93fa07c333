/**
 * Two processes with a link of ginit's between them, over a nats-server: calls of one object, and
 * frames of 64 KiB one way. What each does is what a component's thread does, without the thread:
 * an entrypoint on a channel of the link.
 */
import { randomBytes } from 'node:crypto';
import { bytes, rpc, rpcInterface } from '@ginit/core';
import { BusNode, Identity, NatsBus, natsServerConfig, newSeed, SystemClock } from '@ginit/core/nats';
import { capabilityFor } from '../../../packages/core/dist/capability/capability.js';
import { Entrypoint } from '../../../packages/core/dist/runtime/entrypoint.js';
import { runProcessPair } from '../harness/process-pair.mjs';
import { startServer } from './nats-server.mjs';
import { figuresOf, LARGE_BYTES, SMALL_BYTES } from './traffic.mjs';

const CLUSTER = 'bench';
const CALLS = Buffer.from('calls');
const STREAM = Buffer.from('stream');

const Echo = rpcInterface('Echo', {
  echo: rpc({ args: [bytes(SMALL_BYTES)], result: bytes(SMALL_BYTES) }),
});

const entrypoint = () =>
  new Entrypoint({ schedule: queueMicrotask, report: console.error, introduce: async () => {} });

async function join(url, seed, opened) {
  const identity = new Identity(seed);
  const bus = await NatsBus.connect({ servers: [url], identity, complain: console.error });
  const owner = { accepts: () => undefined, opened: (_peer, ticket, channel) => opened(channel, ticket) };
  return new BusNode({ bus, cluster: CLUSTER, identity, clock: new SystemClock(), owner });
}

function serve(channel, ticket) {
  if (CALLS.equals(ticket)) {
    const own = entrypoint();
    own.addChannel(1, channel, own.exportObject(Echo, { echo: (load) => load }));
    return;
  }
  let come = 0;
  channel.closed(() => process.exit());
  // Answers when as many have come as the first bytes say.
  channel.receive((frame) => {
    const wanted = new DataView(frame.buffer, frame.byteOffset).getUint32(0);
    if (++come < wanted) return;
    come = 0;
    channel.send(frame.subarray(0, SMALL_BYTES), []);
  });
}

function server() {
  process.once('message', ({ url, seed }) => void join(url, seed, serve).then(() => process.send('ready')));
}

async function client(child, settings) {
  const [own, other] = [newSeed(randomBytes(32)), newSeed(randomBytes(32))];
  const keys = [own, other].map((seed) => new Identity(seed).publicKey);
  const configuration = natsServerConfig({ cluster: CLUSTER, listen: '127.0.0.1:-1', keys });
  const { url } = await startServer(configuration);
  child.send({ url, seed: other });
  await new Promise((resolve) => child.once('message', resolve));
  const node = await join(url, own, () => 'nothing is opened here');
  const calls = entrypoint().addChannel(2, await node.open(keys[1], CALLS));
  const object = capabilityFor(Echo, calls.import(0));
  const channel = await node.open(keys[1], STREAM);
  let streamed = () => {};
  let failed = () => {};
  channel.closed((reason) => failed(new Error(`the channel has ended: ${reason}`)));
  channel.receive(() => streamed());
  const small = new Uint8Array(SMALL_BYTES);
  const large = new Uint8Array(LARGE_BYTES);
  const stream = async (count) => {
    const all = new Promise((resolve, reject) => ([streamed, failed] = [resolve, reject]));
    new DataView(large.buffer).setUint32(0, count);
    for (let sent = 0; sent < count; sent++) channel.send(large, []);
    await all;
  };
  return figuresOf({ echo: () => object.echo(small), stream }, settings);
}

await runProcessPair(import.meta.url, { server, client });
