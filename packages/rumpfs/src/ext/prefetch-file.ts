import { tryMap } from './block-map.ts';
import { Run } from './run.ts';
import type { Inode } from './inode.ts';
import type { Volume } from './volume.ts';

const WINDOW_BYTES_MIN = 16 * 1024;
const WINDOW_BYTES_MAX = 256 * 1024;
/** The largest part of the cache that read-ahead takes. */
const CACHE_PART = 8;

/**
 * Notices when a file is read from front to back in small pieces, and brings the next blocks into
 * the cache, in requests that grow as the reader goes on. Large reads do not need this: they go to
 * the device as they are.
 */
export class ReadAhead {
  #expectedOffset = 0;
  #windowBytes = 0;
  /** The logical block up to which reads are under way. */
  #ahead = 0;

  /** To be called after each read of the file. */
  advance(volume: Volume, inode: Inode, offset: number, length: number): void {
    const sequential = offset === this.#expectedOffset;
    this.#expectedOffset = offset + length;
    if (!sequential || length >= WINDOW_BYTES_MIN) {
      this.#windowBytes = 0;
      this.#ahead = 0;
      return;
    }
    const { blockSizeBytes, cache } = volume;
    const most = Math.min(WINDOW_BYTES_MAX, (cache.buffersMax * blockSizeBytes) / CACHE_PART);
    const next = Math.ceil(this.#expectedOffset / blockSizeBytes);
    if (this.#windowBytes > 0 && (this.#ahead - next) * blockSizeBytes > this.#windowBytes / 2) return;
    this.#windowBytes = Math.min(most, Math.max(WINDOW_BYTES_MIN, this.#windowBytes * 2));
    const end = Math.min(
      Math.ceil(inode.sizeBytes / blockSizeBytes),
      next + Math.floor(this.#windowBytes / blockSizeBytes),
    );
    this.#ahead = this.#request(volume, inode, Math.max(next, this.#ahead), end);
  }

  /** Starts reading logical blocks `from` to `end` as far as the pointers to them are in memory. */
  #request(volume: Volume, inode: Inode, from: number, end: number): number {
    const run = new Run();
    let logical = from;
    while (logical < end && tryMap(volume, inode, logical, end - logical, run) === 0) {
      if (run.block !== 0) volume.cache.prefetch(run.block, run.count);
      logical += run.count;
    }
    return logical;
  }
}
