import type { ClusterVolume } from './cluster-volume.ts';
import { blockOfCluster } from './layout.ts';

const ZEROS = new Uint8Array(256 * 1024);

/**
 * Fills a cluster that nothing leads to yet with zeros, behind the bytes given, which fit a block.
 * They are on the device before anything leads there.
 */
export async function writeEmptyCluster(
  { layout, cache }: ClusterVolume,
  cluster: number,
  begin: Uint8Array = ZEROS.subarray(0, 0),
): Promise<void> {
  const { blockBytes, blocksPerCluster } = layout;
  const first = blockOfCluster(layout, cluster);
  for (let index = 0; index < blocksPerCluster; index += 1) {
    await cache.settle(first + index);
    cache.forget(first + index);
  }
  cache.dataFirst();
  const step = Math.min(blocksPerCluster, Math.floor(ZEROS.length / blockBytes));
  for (let index = 0; index < blocksPerCluster; index += step) {
    const piece = index === 0 ? new Uint8Array(step * blockBytes) : ZEROS.subarray(0, step * blockBytes);
    if (index === 0) piece.set(begin);
    await cache.direct.write(first + index, piece);
  }
  const buffer = cache.tryFresh(first) ?? (await cache.fresh(first));
  buffer.bytes.fill(0);
  buffer.bytes.set(begin);
}
