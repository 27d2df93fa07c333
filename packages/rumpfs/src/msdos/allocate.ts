import { FsError } from '../errors.ts';
import { FIRST_CLUSTER } from '../fat/layout.ts';
import type { ClusterRun } from './chain.ts';
import { FAT_END, FAT_FREE, FAT_MISSING } from './fat-table.ts';
import type { Volume } from './volume.ts';

/**
 * Takes free clusters side by side, at most `countMax`, at `goal` if that is free (0: anywhere),
 * and makes a chain of them that nothing leads to yet. Rejects with `NoSpace`.
 */
export async function allocateClusters(
  volume: Volume,
  goal: number,
  countMax: number,
  run: ClusterRun,
): Promise<void> {
  const start = goal >= FIRST_CLUSTER && goal < volume.fat.end ? goal : volume.nextFree;
  for (;;) {
    if (await search(volume, start, volume.fat.end, countMax, run)) return;
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
    const found = volume.fat.findFree(cluster);
    if (found.cluster === FAT_MISSING) {
      await volume.readFat();
    } else if (found.cluster > 0) {
      if (found.cluster >= end) return false;
      take(volume, found.cluster, countMax, run);
      if (run.count > 0) return true;
      await volume.readFat();
    } else {
      cluster = found.searchedTo;
    }
  }
  return false;
}

/** Takes clusters from a free one on, within this turn; none where the FAT is not in memory. */
function take(volume: Volume, first: number, countMax: number, run: ClusterRun): void {
  const { fat } = volume;
  run.cluster = first;
  run.count = 0;
  if (!fat.trySet(first, FAT_END)) return;
  let count = 1;
  while (count < countMax && first + count < fat.end && fat.get(first + count) === FAT_FREE) {
    if (!fat.trySet(first + count, FAT_END)) break;
    fat.trySet(first + count - 1, first + count);
    count += 1;
  }
  run.count = count;
  volume.freeClusters -= count;
  volume.nextFree = first + count < fat.end ? first + count : FIRST_CLUSTER;
  volume.cache.dataFirst();
}
