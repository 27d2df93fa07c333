import type { BufferCache } from './buffer-cache.ts';

const WINDOW_BYTES_MIN = 16 * 1024;
const WINDOW_BYTES_MAX = 256 * 1024;
/** The largest part of the cache that read-ahead takes. */
const CACHE_PART = 8;

/**
 * Asks for the file's blocks `from` to `end` to be read ahead, as far as their places are in
 * memory. Returns the block up to which that is so.
 */
export type ReadAheadRequest = (from: number, end: number) => number;

/**
 * Notices when a file is read from front to back in small pieces, and brings the next blocks into
 * the cache, in requests that grow as the reader goes on. Large reads do not need this: they go to
 * the device as they are.
 */
export class ReadAhead {
  #expectedOffset = 0;
  #windowBytes = 0;
  /** The block of the file up to which reads are under way. */
  #ahead = 0;

  /** To be called after each read of the file. */
  advance(
    cache: BufferCache,
    sizeBytes: number,
    offset: number,
    length: number,
    request: ReadAheadRequest,
  ): void {
    const sequential = offset === this.#expectedOffset;
    this.#expectedOffset = offset + length;
    if (!sequential || length >= WINDOW_BYTES_MIN) {
      this.#windowBytes = 0;
      this.#ahead = 0;
      return;
    }
    const { blockSizeBytes } = cache;
    const most = Math.min(WINDOW_BYTES_MAX, (cache.buffersMax * blockSizeBytes) / CACHE_PART);
    const next = Math.ceil(this.#expectedOffset / blockSizeBytes);
    if (this.#windowBytes > 0 && (this.#ahead - next) * blockSizeBytes > this.#windowBytes / 2) return;
    this.#windowBytes = Math.min(most, Math.max(WINDOW_BYTES_MIN, this.#windowBytes * 2));
    const end = Math.min(
      Math.ceil(sizeBytes / blockSizeBytes),
      next + Math.floor(this.#windowBytes / blockSizeBytes),
    );
    this.#ahead = request(Math.max(next, this.#ahead), end);
  }
}
