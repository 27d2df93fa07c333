/** Uses servers of another node, and measures: calls, packets of 64 KiB, and reads of blocks. */
import { Block, BlockClient } from '@ginit/core/block';
import { expectedSum, makePayload, windowFor } from '../bulk/traffic.mjs';
import { Sending } from '../bulk/sending.mjs';
import { Consumer } from '../bulk/session.mjs';
import { measuringComponent } from '../harness/client.mjs';
import { microsecondsEach } from '../harness/measure.mjs';
import { fromConfig } from '../harness/settings.mjs';
import { SmallEcho } from './echo-session.mjs';
import { figuresOf, LARGE_BYTES, SMALL_BYTES } from './traffic.mjs';

const DEPTH = 32;

/** Microseconds for one read of a block, so many under way at a time. */
async function readUs(env, settings) {
  const disk = await BlockClient.connect(env, { args: { tx_buf_size: 1024 * 1024 } });
  const { blockSize, blockCount } = disk.info;
  const buffers = Array.from({ length: DEPTH }, () => new Uint8Array(blockSize));
  let next = 0;
  const read = async (count) => {
    let left = count;
    const lane = async (buffer) => {
      while (left-- > 0) await disk.read((next = (next + 7) % Number(blockCount)), 1, buffer);
    };
    await Promise.all(buffers.map(lane));
  };
  return microsecondsEach(read, settings);
}

export default measuringComponent({ requires: [SmallEcho, Consumer, Block] }, async (env) => {
  const settings = fromConfig(env.config);
  const peer = await env.connect(SmallEcho);
  const small = new Uint8Array(SMALL_BYTES);
  const consumer = await env.connect(Consumer, {
    args: { tx_buf_size: LARGE_BYTES * windowFor(LARGE_BYTES) },
  });
  const payload = makePayload(LARGE_BYTES);
  const sum = expectedSum(LARGE_BYTES);
  const stream = async (count) => {
    await new Sending(consumer.tx, payload, count).finish();
    if ((await consumer.takeSum()) !== sum * count) throw new Error('the consumer read something else');
  };
  const figures = await figuresOf({ echo: () => peer.echo(small), stream }, settings);
  return { ...figures, readsPerSecond: 1e6 / (await readUs(env, settings)) };
});
