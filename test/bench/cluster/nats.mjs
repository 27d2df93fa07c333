/** The client of NATS alone: request and reply, and publish. */
import { connect } from 'nats';
import { runProcessPair } from '../harness/process-pair.mjs';
import { startServer } from './nats-server.mjs';
import { figuresOf, LARGE_BYTES, SMALL_BYTES } from './traffic.mjs';

/** How many large messages go between two looks whether the server has taken them. */
const FLUSH_EVERY = 64;

function server() {
  process.once('message', async ({ url }) => {
    const nats = await connect({ servers: url });
    let come = 0;
    nats.subscribe('echo', { callback: (_error, message) => message.respond(message.data) });
    nats.subscribe('stream', {
      callback: (_error, { data }) => {
        const wanted = new DataView(data.buffer, data.byteOffset).getUint32(0);
        if (++come < wanted) return;
        come = 0;
        nats.publish('streamed');
      },
    });
    await nats.flush();
    process.send('ready');
  });
}

async function client(child, settings) {
  const { url } = await startServer('');
  child.send({ url });
  await new Promise((resolve) => child.once('message', resolve));
  const nats = await connect({ servers: url });
  const small = new Uint8Array(SMALL_BYTES);
  const large = new Uint8Array(LARGE_BYTES);
  let streamed = () => {};
  nats.subscribe('streamed', { callback: () => streamed() });
  const echo = () => nats.request('echo', small, { timeout: 60_000 });
  const stream = async (count) => {
    const all = new Promise((resolve) => (streamed = resolve));
    new DataView(large.buffer).setUint32(0, count);
    let flushed = Promise.resolve();
    for (let sent = 0; sent < count; sent++) {
      nats.publish('stream', large);
      if (sent % FLUSH_EVERY !== 0) continue;
      await flushed;
      flushed = nats.flush();
    }
    await all;
  };
  return figuresOf({ echo, stream }, settings);
}

await runProcessPair(import.meta.url, { server, client });
