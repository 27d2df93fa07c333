import { FsError } from '../errors.ts';
import { blockOfCluster, FIRST_CLUSTER } from '../fat/layout.ts';
import { BITMAP_MISSING } from './allocation-bitmap.ts';
import type { ClusterRun } from './cluster-run.ts';
import type { Volume } from './volume.ts';

const ZEROS = new Uint8Array(256 * 1024);

/**
 * Takes free clusters side by side, at most `countMax`, at `goal` if that is free (0: anywhere).
 * Nothing leads to them yet. Rejects with `NoSpace`.
 */
export async function allocateClusters(
  volume: Volume,
  goal: number,
  countMax: number,
  run: ClusterRun,
): Promise<void> {
  const { end } = volume.fat;
  const start = goal >= FIRST_CLUSTER && goal < end ? goal : volume.nextFree;
  for (;;) {
    if (await search(volume, start, end, countMax, run)) return;
    if (await search(volume, FIRST_CLUSTER, start, countMax, run)) return;
    volume.freeClusters = 0;
    if (!(await volume.reclaim())) throw new FsError('NoSpace', 'no free cluster is left');
  }
}

async function search(
  volume: Volume,
  from: number,
  end: number,
  countMax: number,
  run: ClusterRun,
): Promise<boolean> {
  for (let cluster = from; cluster < end; ) {
    const found = volume.bitmap.findFree(cluster);
    if (found.cluster === BITMAP_MISSING) {
      await volume.readBitmap();
    } else if (found.cluster > 0) {
      if (found.cluster >= end) return false;
      take(volume, found.cluster, countMax, run);
      if (run.count > 0) return true;
      await volume.readBitmap();
    } else {
      cluster = found.searchedTo;
    }
  }
  return false;
}

/** Takes clusters from a free one on, within this turn; none where the bitmap is not in memory. */
function take(volume: Volume, first: number, countMax: number, run: ClusterRun): void {
  const { bitmap, fat } = volume;
  let count = 0;
  while (count < countMax && first + count < fat.end && bitmap.get(first + count) === 0) {
    if (!bitmap.trySet(first + count, true)) break;
    count += 1;
  }
  run.cluster = first;
  run.count = count;
  volume.freeClusters -= count;
  volume.nextFree = first + count < fat.end ? first + count : FIRST_CLUSTER;
}

/**
 * Fills a cluster that nothing leads to yet with zeros. They are on the device before anything
 * leads there.
 */
export async function writeEmptyCluster(volume: Volume, cluster: number): Promise<void> {
  const { layout, cache } = volume;
  const first = blockOfCluster(layout, cluster);
  for (let index = 0; index < layout.blocksPerCluster; index += 1) {
    await cache.settle(first + index);
    cache.forget(first + index);
  }
  cache.dataFirst();
  const step = Math.min(layout.blocksPerCluster, Math.floor(ZEROS.length / layout.blockBytes));
  for (let index = 0; index < layout.blocksPerCluster; index += step)
    await cache.direct.write(first + index, ZEROS.subarray(0, step * layout.blockBytes));
  const buffer = cache.tryFresh(first) ?? (await cache.fresh(first));
  buffer.bytes.fill(0);
}
