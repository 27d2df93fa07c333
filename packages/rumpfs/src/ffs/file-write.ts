import { settleAll } from '@ginit/core/async';
import { writeRange } from '../buffer/range-io.ts';
import { FsError } from '../errors.ts';
import { type Assigned, assignRun } from './block-map-grow.ts';
import { shrinkTo } from './block-map-shrink.ts';
import { clearTail, fillLast, growTail, zeroFragments } from './file-tail.ts';
import type { Inode } from './inode.ts';
import { storeInode } from './inode-table.ts';
import type { Parts } from './parts.ts';
import type { Volume } from './volume.ts';

/**
 * Writes at `offset`, allocating what is missing. Resolves to the number of bytes written, which is
 * less than given only where the space ended. When it fails, the file keeps its size, and what is
 * behind its end is given back.
 */
export async function writeFile(
  parts: Parts,
  inode: Inode,
  offset: number,
  from: Uint8Array,
  nowMs: number,
): Promise<number> {
  if (from.length === 0) return 0;
  const { volume } = parts;
  const before = inode.sizeBytes;
  const end = offset + from.length;
  volume.requireSize(end);
  const requests: Promise<void>[] = [];
  let done = 0;
  let failure: unknown;
  try {
    if (end > before) await growTail(parts, inode, end, offset > before);
    while (done < from.length)
      done += await writePiece(parts, inode, offset + done, from.subarray(done), requests);
  } catch (error) {
    failure = error;
  }
  try {
    await settleAll(requests);
  } catch (error) {
    failure = error;
    done = 0;
  }
  inode.modifiedMs = nowMs;
  inode.changedMs = nowMs;
  const size = Math.max(before, done > 0 ? offset + done : 0);
  if (failure !== undefined && size < inode.sizeBytes) await shrinkTo(parts, inode, size);
  await storeInode(volume, inode);
  const shortened = failure instanceof FsError && failure.code === 'NoSpace' && done > 0;
  if (failure !== undefined && !shortened) throw failure;
  return done;
}

/**
 * Sets the size. What the file loses is freed; the part that it gains is a hole but for its end.
 * Resolves to false where a shorter file ends with a hole, too, because there was no space.
 */
export async function truncateFile(
  parts: Parts,
  inode: Inode,
  sizeBytes: number,
  nowMs: number,
): Promise<boolean> {
  const { volume } = parts;
  const before = inode.sizeBytes;
  let filled = true;
  volume.requireSize(sizeBytes);
  try {
    if (sizeBytes > before) {
      await growTail(parts, inode, sizeBytes, true);
      await fillLast(parts, inode);
    } else if (sizeBytes < before) {
      await clearTail(volume, inode, sizeBytes);
      await shrinkTo(parts, inode, sizeBytes);
      filled = await tolerateFull(() => fillLast(parts, inode));
    }
    inode.modifiedMs = nowMs;
    inode.changedMs = nowMs;
    return filled;
  } catch (error) {
    if (inode.sizeBytes > before) await shrinkTo(parts, inode, before);
    throw error;
  } finally {
    await storeInode(volume, inode);
  }
}

/**
 * A full device is no reason for a file to stay long; then it ends with a hole, and this resolves
 * to false.
 */
export async function tolerateFull(action: () => Promise<void>): Promise<boolean> {
  try {
    await action();
    return true;
  } catch (error) {
    if (!(error instanceof FsError && error.code === 'NoSpace')) throw error;
    return false;
  }
}

/**
 * Writes the part of `from` that goes into one run of blocks; resolves to its length. Requests that
 * take longer are added to `requests`.
 */
async function writePiece(
  parts: Parts,
  inode: Inode,
  position: number,
  from: Uint8Array,
  requests: Promise<void>[],
): Promise<number> {
  const { blockSizeBytes } = parts.volume.superblock;
  const skip = position % blockSizeBytes;
  const logical = Math.floor(position / blockSizeBytes);
  const blocksMax = Math.ceil((skip + from.length) / blockSizeBytes);
  let written = 0;
  await assignRun(parts, inode, logical, blocksMax, async (assigned) => {
    try {
      written = await fill(parts.volume, assigned, skip, from, requests);
    } catch (error) {
      // Writes to blocks that are given back must have ended first.
      await Promise.allSettled(requests);
      throw error;
    }
  });
  return written;
}

/**
 * Puts the beginning of `from` into a run, from byte `skip` of it on. In a fresh one all around
 * that becomes zeros. Resolves to the number of bytes that had room.
 */
async function fill(
  volume: Volume,
  { first, fragments, fresh }: Assigned,
  skip: number,
  from: Uint8Array,
  requests: Promise<void>[],
): Promise<number> {
  const size = volume.superblock.fragmentSizeBytes;
  const length = Math.min(fragments * size - skip, from.length);
  let fragment = first + Math.floor(skip / size);
  if (fresh && fragment > first) await zeroFragments(volume, first, fragment - first);
  const within = skip % size;
  let done = 0;
  if (within > 0 || length < size) {
    done = Math.min(length, size - within);
    await writePart(volume, fragment, fresh, within, from.subarray(0, done));
    fragment += 1;
  }
  const whole = Math.floor((length - done) / size) * size;
  if (whole > 0) {
    requests.push(quietly(writeRange(volume.cache, fragment, from.subarray(done, done + whole))));
    done += whole;
    fragment += whole / size;
  }
  if (done < length) {
    await writePart(volume, fragment, fresh, 0, from.subarray(done, length));
    fragment += 1;
  }
  if (fresh && fragment < first + fragments)
    await zeroFragments(volume, fragment, first + fragments - fragment);
  return length;
}

/** Marks a request's failure as handled. The request is awaited later and may fail before that. */
function quietly(request: Promise<void>): Promise<void> {
  request.catch(() => undefined);
  return request;
}

async function writePart(
  { cache }: Volume,
  fragment: number,
  fresh: boolean,
  skip: number,
  from: Uint8Array,
): Promise<void> {
  if (fresh) {
    const buffer = cache.tryFresh(fragment) ?? (await cache.fresh(fragment));
    buffer.bytes.fill(0);
    buffer.bytes.set(from, skip);
    cache.markDirty(buffer, fragment, 'data');
    return;
  }
  const buffer = cache.peek(fragment) ?? (await cache.read(fragment));
  buffer.bytes.set(from, skip);
  cache.markDirty(buffer, fragment, 'data');
}
