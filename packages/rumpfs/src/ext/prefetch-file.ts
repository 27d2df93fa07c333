import type { ReadAheadRequest } from '../buffer/read-ahead.ts';
import { tryMap } from './block-map.ts';
import { Run } from './run.ts';
import type { Inode } from './inode.ts';
import type { Volume } from './volume.ts';

/** Reads a file's blocks ahead, as far as the pointers to them are in memory. */
export function prefetchFile(volume: Volume, inode: Inode): ReadAheadRequest {
  return (from, end) => {
    const run = new Run();
    let logical = from;
    while (logical < end && tryMap(volume, inode, logical, end - logical, run) === 0) {
      if (run.block !== 0) volume.cache.prefetch(run.block, run.count);
      logical += run.count;
    }
    return logical;
  };
}
