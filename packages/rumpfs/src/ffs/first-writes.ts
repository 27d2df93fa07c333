import type { BufferCache } from '../buffer/buffer-cache.ts';

/**
 * Writes the first contents of adjacent fragments that nothing leads to yet, to the device and into
 * the cache. So whichever part of the later writes a power failure lets through, nothing leads to
 * what they held before.
 */
export async function writeFirst(cache: BufferCache, first: number, contents: Uint8Array): Promise<void> {
  const size = cache.blockSizeBytes;
  const count = contents.length / size;
  for (let index = 0; index < count; index += 1) {
    await cache.settle(first + index);
    cache.forget(first + index);
  }
  cache.dataFirst();
  await cache.direct.write(first, contents);
  for (let index = 0; index < count; index += 1)
    cache.tryFresh(first + index)?.bytes.set(contents.subarray(index * size, (index + 1) * size));
}
