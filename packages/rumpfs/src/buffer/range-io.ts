import { settleAll } from '@ginit/core/async';
import { FsError, messageOf } from '../errors.ts';
import type { BufferCache } from './buffer-cache.ts';

/**
 * From this length on, file data goes straight between the caller's memory and the device: one copy
 * less, one request for many blocks, and a stream does not push the structures out of the cache.
 */
const DIRECT_BYTES_MIN = 32 * 1024;

/**
 * Reads bytes of adjacent device blocks: `into` is filled from byte `skip` of block `first` on.
 * Returns undefined when all of it was in memory, otherwise a promise; `into` is borrowed until
 * that settles. Rejects with `InputOutput`.
 */
export function readRange(
  cache: BufferCache,
  first: number,
  skip: number,
  into: Uint8Array,
): Promise<void> | undefined {
  const size = cache.blockSizeBytes;
  const requests: Promise<void>[] = [];
  let block = first;
  let within = skip;
  for (let position = 0; position < into.length; ) {
    const length = Math.min(size - within, into.length - position);
    const buffer = cache.peek(block);
    if (buffer !== undefined) {
      copy(buffer.bytes, within, into, position, length);
    } else {
      const run = within === 0 ? absentRun(cache, block, Math.floor((into.length - position) / size)) : 0;
      if (run * size >= DIRECT_BYTES_MIN) {
        requests.push(readDirect(cache, block, into.subarray(position, position + run * size)));
        position += run * size;
        block += run;
        continue;
      }
      if (!cache.involves(block)) cache.prefetch(block, Math.ceil((within + into.length - position) / size));
      requests.push(readThrough(cache, block, within, into.subarray(position, position + length)));
    }
    position += length;
    within = 0;
    block += 1;
  }
  return requests.length === 0 ? undefined : settleAll(requests);
}

/**
 * Writes whole adjacent blocks of file data, into the cache or, a long run, straight to the device.
 */
export async function writeRange(cache: BufferCache, first: number, from: Uint8Array): Promise<void> {
  if (from.length >= DIRECT_BYTES_MIN) {
    await writeDirect(cache, first, from);
    return;
  }
  const size = cache.blockSizeBytes;
  for (let position = 0, block = first; position < from.length; position += size, block += 1) {
    const buffer = cache.tryFresh(block) ?? (await cache.fresh(block));
    buffer.bytes.set(from.subarray(position, position + size));
    cache.markDirty(buffer, block, 'data');
  }
}

/** The number of blocks from `first` on, at most `count`, that are not in the cache. */
function absentRun(cache: BufferCache, first: number, count: number): number {
  let run = 0;
  while (run < count && !cache.involves(first + run)) run += 1;
  return run;
}

async function readDirect(cache: BufferCache, first: number, into: Uint8Array): Promise<void> {
  try {
    await cache.bio.read(cache.sectorOf(first), into);
  } catch (error) {
    throw new FsError('InputOutput', `block ${first} cannot be read: ${messageOf(error)}`);
  }
}

async function readThrough(cache: BufferCache, block: number, skip: number, into: Uint8Array): Promise<void> {
  const buffer = cache.peek(block) ?? (await cache.read(block));
  copy(buffer.bytes, skip, into, 0, into.length);
}

async function writeDirect(cache: BufferCache, first: number, from: Uint8Array): Promise<void> {
  const count = from.length / cache.blockSizeBytes;
  for (let block = first; block < first + count; block += 1) {
    if (!cache.involves(block)) continue;
    await cache.settle(block);
    cache.forget(block);
  }
  await cache.direct.write(first, from);
}

function copy(from: Uint8Array, skip: number, into: Uint8Array, position: number, length: number): void {
  into.set(from.subarray(skip, skip + length), position);
}
