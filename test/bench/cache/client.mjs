/** Reads blocks through a Block session, in place, and measures. */
import { Block, BlockClient } from '@ginit/core/block';
import { measuringComponent } from '../harness/client.mjs';
import { fromConfig } from '../harness/settings.mjs';
import { BLOCK_BYTES, DEVICE_BLOCKS, figuresOf } from './workloads.mjs';

const BUFFER_BYTES = 4 * 1024 * 1024;
const PIECE_BLOCKS = 256;

export default measuringComponent({ requires: [Block] }, async (env) => {
  const { wide, ...settings } = fromConfig(env.config);
  const disk = await BlockClient.connect(env, { args: { tx_buf_size: BUFFER_BYTES } });
  if (disk.info.blockCount !== DEVICE_BLOCKS) throw new Error('another device than expected');
  // Memory that nobody has written is one page of the host, which every processor has at hand.
  const bytes = new Uint8Array(PIECE_BLOCKS * BLOCK_BYTES).fill(1);
  for (let block = 0; block < DEVICE_BLOCKS; block += PIECE_BLOCKS)
    await disk.write(block, PIECE_BLOCKS, bytes);
  await disk.sync();
  let sum = 0;
  let reads = 0;
  const look = (payload) => {
    sum += payload[0];
    reads++;
  };
  const figures = await figuresOf(settings, wide === 1, (_, block) => disk.readWith(block, 1, look));
  if (sum !== reads) throw new Error('the device has not kept what was written');
  return figures;
});
