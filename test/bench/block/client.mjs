/** Reads and writes blocks through a Block session, and measures. */
import { Block, BlockClient } from '@ginit/core/block';
import { measuringComponent } from '../harness/client.mjs';
import { fromConfig } from '../harness/settings.mjs';
import { figuresOf } from './workloads.mjs';

const BUFFER_BYTES = 16 * 1024 * 1024;

export default measuringComponent({ requires: [Block] }, async (env) => {
  const disk = await BlockClient.connect(env, { args: { tx_buf_size: BUFFER_BYTES } });
  const { blockSize } = disk.info;
  return figuresOf(fromConfig(env.config), ({ bytes, depth, write }) => {
    const buffers = Array.from({ length: depth }, () => new Uint8Array(bytes));
    return (lane, position) =>
      write
        ? disk.write(position / blockSize, bytes / blockSize, buffers[lane])
        : disk.read(position / blockSize, bytes / blockSize, buffers[lane]);
  });
});
