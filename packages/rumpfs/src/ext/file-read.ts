import { settleAll } from '@ginit/core/async';
import { readRange } from '../buffer/range-io.ts';
import { mapRun, tryMap } from './block-map.ts';
import { Run } from './run.ts';
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
  if (inode.inlineContent !== undefined) {
    into.set(inode.inlineContent.subarray(offset, offset + length));
    return length;
  }
  const blockSize = volume.blockSizeBytes;
  const run = new Run();
  const requests: Promise<void>[] = [];
  try {
    for (let done = 0; done < length; ) {
      const position = offset + done;
      const logical = Math.floor(position / blockSize);
      const skip = position % blockSize;
      const blocks = Math.ceil((skip + length - done) / blockSize);
      if (tryMap(volume, inode, logical, blocks, run) !== 0) {
        await mapRun(volume, inode, logical, blocks, run);
      }
      const bytes = Math.min(run.count * blockSize - skip, length - done);
      const target = into.subarray(done, done + bytes);
      const request = run.block === 0 ? undefined : readRange(volume.cache, run.block, skip, target);
      if (run.block === 0) target.fill(0);
      if (request !== undefined) requests.push(request);
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
