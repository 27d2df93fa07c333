import { settleAll } from '@ginit/core/async';
import { writeRange } from '../buffer/range-io.ts';
import { FsError } from '../errors.ts';
import type { BlockAllocator } from './block-allocator.ts';
import { mapRun } from './block-map.ts';
import { Run } from './run.ts';
import { assignRun } from './block-map-grow.ts';
import { freeBlocksFrom } from './block-map-shrink.ts';
import { moveFileOut } from './inline-removal.ts';
import type { Inode } from './inode.ts';
import { storeInode } from './inode-table.ts';
import type { Volume } from './volume.ts';

/**
 * Writes at `offset`, allocating missing blocks. Resolves to the number of bytes written, which is
 * less than given only where the space ended, or a commit of the journal waits. When it fails, the
 * file keeps its size, and blocks behind its end are given back.
 */
export async function writeFile(
  volume: Volume,
  blocks: BlockAllocator,
  inode: Inode,
  offset: number,
  from: Uint8Array,
  nowMs: number,
): Promise<number> {
  if (from.length === 0) return 0;
  await moveFileOut(volume, blocks, inode);
  volume.requireSize(inode, offset + from.length);
  if (offset > inode.sizeBytes) await clearTail(volume, inode, inode.sizeBytes);
  const requests: Promise<void>[] = [];
  let done = 0;
  let failure: unknown;
  try {
    while (done < from.length && !(done > 0 && volume.shouldPause)) {
      done += await writePiece(volume, blocks, inode, offset + done, from.subarray(done), requests);
    }
  } catch (error) {
    failure = error;
  }
  try {
    await settleAll(requests);
  } catch (error) {
    failure = error;
    done = 0;
  }
  inode.sizeBytes = Math.max(inode.sizeBytes, done > 0 ? offset + done : 0);
  inode.modifiedMs = nowMs;
  inode.changedMs = nowMs;
  if (failure !== undefined) {
    await freeBlocksFrom(volume, blocks, inode, Math.ceil(inode.sizeBytes / volume.blockSizeBytes));
  }
  await storeInode(volume, inode);
  const shortened = failure instanceof FsError && failure.code === 'NoSpace' && done > 0;
  if (failure !== undefined && !shortened) throw failure;
  return done;
}

/** Sets the size. Blocks that the file loses are freed; the part that it gains is a hole. */
export async function truncateFile(
  volume: Volume,
  blocks: BlockAllocator,
  inode: Inode,
  sizeBytes: number,
  nowMs: number,
): Promise<void> {
  await moveFileOut(volume, blocks, inode);
  volume.requireSize(inode, sizeBytes);
  await clearTail(volume, inode, Math.min(sizeBytes, inode.sizeBytes));
  const shrinks = sizeBytes < inode.sizeBytes;
  inode.sizeBytes = sizeBytes;
  inode.modifiedMs = nowMs;
  inode.changedMs = nowMs;
  blocks.reservations.release(inode);
  try {
    if (shrinks) await freeBlocksFrom(volume, blocks, inode, Math.ceil(sizeBytes / volume.blockSizeBytes));
  } finally {
    await storeInode(volume, inode);
  }
}

/**
 * Zeroes the part behind byte `end` in the last block of the file, so that growing never shows old
 * contents.
 */
async function clearTail(volume: Volume, inode: Inode, end: number): Promise<void> {
  const within = end % volume.blockSizeBytes;
  if (within === 0) return;
  const run = new Run();
  await mapRun(volume, inode, Math.floor(end / volume.blockSizeBytes), 1, run);
  if (run.block === 0) return;
  const buffer = volume.cache.peek(run.block) ?? (await volume.cache.read(run.block));
  buffer.bytes.fill(0, within);
  volume.cache.markDirty(buffer, run.block, 'data');
}

/**
 * Writes the part of `from` that goes into one run of blocks; resolves to its length. Requests that
 * take longer are added to `requests`.
 */
async function writePiece(
  volume: Volume,
  blocks: BlockAllocator,
  inode: Inode,
  position: number,
  from: Uint8Array,
  requests: Promise<void>[],
): Promise<number> {
  const blockSize = volume.blockSizeBytes;
  const skip = position % blockSize;
  const logical = Math.floor(position / blockSize);
  const blocksMax = Math.ceil((skip + from.length) / blockSize);
  let written = 0;
  await assignRun(volume, blocks, inode, logical, blocksMax, new Run(), async (run) => {
    try {
      written = await fillRun(volume, run, skip, from, requests);
    } catch (error) {
      // Writes to blocks that are given back must have ended first.
      await Promise.allSettled(requests);
      throw error;
    }
  });
  return written;
}

/**
 * Puts the beginning of `from` into a run, from byte `skip` of the run on. Resolves to the number
 * of bytes that had room.
 */
async function fillRun(
  volume: Volume,
  run: Run,
  skip: number,
  from: Uint8Array,
  requests: Promise<void>[],
): Promise<number> {
  const blockSize = volume.blockSizeBytes;
  const length = Math.min(run.count * blockSize - skip, from.length);
  let done = 0;
  let block = run.block;
  if (skip > 0 || length < blockSize) {
    done = Math.min(length, blockSize - skip);
    await writePart(volume, block, run.fresh, skip, from.subarray(0, done));
    block += 1;
  }
  const whole = Math.floor((length - done) / blockSize) * blockSize;
  if (whole > 0) {
    requests.push(quietly(writeRange(volume.cache, block, from.subarray(done, done + whole))));
    done += whole;
    block += whole / blockSize;
  }
  if (done < length) await writePart(volume, block, run.fresh, 0, from.subarray(done, length));
  return length;
}

/** Marks a request's failure as handled. The request is awaited later and may fail before that. */
function quietly(request: Promise<void>): Promise<void> {
  request.catch(() => undefined);
  return request;
}

async function writePart(
  volume: Volume,
  block: number,
  fresh: boolean,
  skip: number,
  from: Uint8Array,
): Promise<void> {
  const { cache } = volume;
  if (fresh) {
    const buffer = cache.tryFresh(block) ?? (await cache.fresh(block));
    buffer.bytes.fill(0);
    buffer.bytes.set(from, skip);
    cache.markDirty(buffer, block, 'data');
    return;
  }
  const buffer = cache.peek(block) ?? (await cache.read(block));
  buffer.bytes.set(from, skip);
  cache.markDirty(buffer, block, 'data');
}
