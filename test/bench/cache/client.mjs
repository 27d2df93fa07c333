/** Reads blocks through a Block session, in place, and measures. */
import { Block, BlockClient } from '@ginit/core/block';
import { measuringComponent } from '../harness/client.mjs';
import { fromConfig } from '../harness/settings.mjs';
import { DEVICE_BLOCKS, figuresOf } from './workloads.mjs';

const BUFFER_BYTES = 4 * 1024 * 1024;

export default measuringComponent({ requires: [Block] }, async (env) => {
  const { wide, ...settings } = fromConfig(env.config);
  const disk = await BlockClient.connect(env, { args: { tx_buf_size: BUFFER_BYTES } });
  if (disk.info.blockCount !== DEVICE_BLOCKS) throw new Error('another device than expected');
  let sum = 0;
  const look = (payload) => (sum += payload[0]);
  const figures = await figuresOf(settings, wide === 1, (_, block) => disk.readWith(block, 1, look));
  if (sum !== 0) throw new Error('the device is not empty');
  return figures;
});
