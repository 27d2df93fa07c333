/** Reads and writes blocks through a Block session, and measures. */
import { BlockClient } from '@ginit/core/block';
import { Block } from '@ginit/core/block';
import { measuringComponent } from '../harness/client.mjs';
import { microsecondsEach } from '../harness/measure.mjs';
import { fromConfig } from '../harness/settings.mjs';
import { figureOf, inLanes, positions, workloadsOf } from './workloads.mjs';

const BUFFER_BYTES = 16 * 1024 * 1024;

export default measuringComponent({ requires: [Block] }, async (env) => {
  const settings = fromConfig(env.config);
  const disk = await BlockClient.connect(env, { args: { tx_buf_size: BUFFER_BYTES } });
  const { blockSize } = disk.info;
  const figures = {};
  for (const workload of workloadsOf(settings.workloads)) {
    const { bytes, depth, write } = workload;
    const buffers = Array.from({ length: depth }, () => new Uint8Array(bytes));
    const next = positions(workload);
    const perform = (lane, position) =>
      write
        ? disk.write(position / blockSize, bytes / blockSize, buffers[lane])
        : disk.read(position / blockSize, bytes / blockSize, buffers[lane]);
    const us = await microsecondsEach((count) => inLanes(count, workload, next, perform), settings);
    figures[workload.key] = figureOf(workload, us);
  }
  return figures;
});
