/** Two processes with a link of ginit's between them, over a nats-server. */
import { randomBytes } from 'node:crypto';
import { BusNode, Identity, NatsBus, natsServerConfig, newSeed, SystemClock } from '@ginit/core/nats';
import { runProcessPair } from '../harness/process-pair.mjs';
import { startServer } from './nats-server.mjs';
import { figuresOf, LARGE_BYTES, SMALL_BYTES } from './traffic.mjs';

const CLUSTER = 'bench';

async function join(url, seed, opened) {
  const identity = new Identity(seed);
  const bus = await NatsBus.connect({ servers: [url], identity, complain: console.error });
  const owner = { accepts: () => undefined, opened: (_peer, _ticket, channel) => opened(channel) };
  return new BusNode({ bus, cluster: CLUSTER, identity, clock: new SystemClock(), owner });
}

/** Answers short frames, and long ones when as many have come as the first bytes say. */
function answer(channel) {
  let come = 0;
  channel.closed(() => process.exit());
  channel.receive((frame) => {
    if (frame.byteLength === SMALL_BYTES) return void channel.send(frame, []);
    const wanted = new DataView(frame.buffer, frame.byteOffset).getUint32(0);
    if (++come < wanted) return;
    come = 0;
    channel.send(frame.subarray(0, SMALL_BYTES), []);
  });
}

function server() {
  process.once('message', ({ url, seed }) => void join(url, seed, answer).then(() => process.send('ready')));
}

async function client(child, settings) {
  const [own, other] = [newSeed(randomBytes(32)), newSeed(randomBytes(32))];
  const keys = [own, other].map((seed) => new Identity(seed).publicKey);
  const { url } = await startServer(natsServerConfig({ cluster: CLUSTER, listen: '127.0.0.1:-1', keys }));
  child.send({ url, seed: other });
  await new Promise((resolve) => child.once('message', resolve));
  const node = await join(url, own, () => 'nothing is opened here');
  const channel = await node.open(keys[1], Buffer.from('echo'));
  const waiting = [];
  channel.closed((reason) => console.error(`the channel has ended: ${reason}`));
  channel.receive(() => waiting.shift()());
  const small = new Uint8Array(SMALL_BYTES);
  const large = new Uint8Array(LARGE_BYTES);
  const echo = () => {
    channel.send(small, []);
    return new Promise((resolve) => waiting.push(resolve));
  };
  const stream = async (count) => {
    new DataView(large.buffer).setUint32(0, count);
    for (let sent = 0; sent < count; sent++) channel.send(large, []);
    await new Promise((resolve) => waiting.push(resolve));
  };
  return figuresOf({ echo, stream }, settings);
}

await runProcessPair(import.meta.url, { server, client });
