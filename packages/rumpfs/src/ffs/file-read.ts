import { settleAll } from '@ginit/core/async';
import { readRange } from '../buffer/range-io.ts';
import type { ReadAheadRequest } from '../buffer/read-ahead.ts';
import { mapRun, Run, tryMap } from './block-map.ts';
import type { Inode } from './inode.ts';
import type { Volume } from './volume.ts';

/** Reads from `offset` on, up to the file's end; resolves to the number of bytes. */
export async function readFile(
  volume: Volume,
  inode: Inode,
  offset: number,
  into: Uint8Array,
): Promise<number> {
  const length = Math.max(0, Math.min(into.length, inode.sizeBytes - offset));
  const { blockSizeBytes, fragmentSizeBytes } = volume.superblock;
  const run = new Run();
  const requests: Promise<void>[] = [];
  try {
    for (let done = 0; done < length; ) {
      const position = offset + done;
      const logical = Math.floor(position / blockSizeBytes);
      const skip = position % blockSizeBytes;
      const blocks = Math.ceil((skip + length - done) / blockSizeBytes);
      if (tryMap(volume, inode, logical, blocks, run) !== 0)
        await mapRun(volume, inode, logical, blocks, run);
      const bytes = Math.min(run.count * blockSizeBytes - skip, length - done);
      const target = into.subarray(done, done + bytes);
      if (run.fragment === 0) {
        target.fill(0);
      } else {
        const first = run.fragment + Math.floor(skip / fragmentSizeBytes);
        const request = readRange(volume.cache, first, skip % fragmentSizeBytes, target);
        if (request !== undefined) requests.push(request);
      }
      done += bytes;
    }
  } catch (error) {
    // The requests under way have borrowed the caller's memory, so they must end first.
    await Promise.allSettled(requests);
    throw error;
  }
  if (requests.length > 0) await settleAll(requests);
  return length;
}

/** Reads a file's fragments ahead, as far as the pointers to them are in memory. */
export function prefetchFile(volume: Volume, inode: Inode): ReadAheadRequest {
  return (from, end) => {
    const { fragmentsPerBlock } = volume.superblock;
    const run = new Run();
    let fragment = from;
    while (fragment < end) {
      const logical = Math.floor(fragment / fragmentsPerBlock);
      const blocks = Math.ceil(end / fragmentsPerBlock) - logical;
      if (tryMap(volume, inode, logical, blocks, run) !== 0) break;
      const next = Math.min(end, (logical + run.count) * fragmentsPerBlock);
      const first = run.fragment + fragment - logical * fragmentsPerBlock;
      if (run.fragment !== 0) volume.cache.prefetch(first, next - fragment);
      fragment = next;
    }
    return fragment;
  };
}
