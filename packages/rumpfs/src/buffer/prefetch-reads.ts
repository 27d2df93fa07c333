import { type Deferred, deferred } from '@ginit/core/async';
import { FsError, messageOf } from '../errors.ts';
import type { BlockIo } from '../hypercall/hypercalls.ts';
import type { BlockBuffer } from './block-buffer.ts';
import type { StagingPool } from './staging-pool.ts';

/** The cache as seen by reads ahead. */
interface PrefetchParts {
  readonly cache: {
    readonly bio: BlockIo;
    readonly staging: StagingPool;
    readonly blockSizeBytes: number;
    sectorOf(block: number): number;
    involves(block: number): boolean;
  };
  /** The reads that are under way. */
  readonly loading: Map<number, Promise<BlockBuffer>>;
  /** That many buffers that hold nothing; undefined if there are not as many. */
  takeSlots(count: number): BlockBuffer[] | undefined;
  /** A buffer holds a block now; callers that await it run next. */
  arrived(block: number, buffer: BlockBuffer): void;
  /** A buffer could not be filled. */
  failed(buffer: BlockBuffer): void;
}

/** Reads adjacent blocks ahead in one request, as long as there are free buffers for them. */
export class PrefetchReads {
  readonly #parts: PrefetchParts;

  constructor(parts: PrefetchParts) {
    this.#parts = parts;
  }

  /** Errors are told when somebody reads the blocks. */
  prefetch(first: number, count: number): void {
    const { cache } = this.#parts;
    const perArea = cache.staging.areaBytes / cache.blockSizeBytes;
    for (let block = first; block < first + count; ) {
      if (cache.involves(block)) {
        block += 1;
        continue;
      }
      const most = Math.min(perArea, first + count - block);
      let length = 1;
      while (length < most && !cache.involves(block + length)) length += 1;
      if (!this.#start(block, length)) return;
      block += length;
    }
  }

  /**
   * Starts one request for `count` blocks that nobody has; false when the buffers for it are not
   * there.
   */
  #start(first: number, count: number): boolean {
    const { cache, loading, takeSlots } = this.#parts;
    const area = cache.staging.tryTake();
    if (area === undefined) return false;
    const buffers = takeSlots(count);
    if (buffers === undefined) {
      cache.staging.back(area);
      return false;
    }
    const results = buffers.map((_buffer, index) => {
      const result = deferred<BlockBuffer>();
      result.promise.catch(() => undefined);
      loading.set(first + index, result.promise);
      return result;
    });
    void this.#load(first, buffers, results, area);
    return true;
  }

  async #load(
    first: number,
    buffers: readonly BlockBuffer[],
    results: readonly Deferred<BlockBuffer>[],
    area: Uint8Array,
  ): Promise<void> {
    const { cache, loading, arrived, failed } = this.#parts;
    const size = cache.blockSizeBytes;
    const whole = await this.#read(first, area.subarray(0, buffers.length * size));
    for (const [index, buffer] of buffers.entries()) {
      const block = first + index;
      const bytes = area.subarray(index * size, (index + 1) * size);
      // One block that cannot be read must not keep its neighbours from those who want them.
      const failure = whole === undefined || buffers.length === 1 ? whole : await this.#read(block, bytes);
      loading.delete(block);
      if (failure === undefined) {
        buffer.bytes.set(bytes);
        arrived(block, buffer);
        results[index]?.resolve(buffer);
      } else {
        failed(buffer);
        results[index]?.reject(failure);
      }
    }
    cache.staging.back(area);
  }

  /** Reads from a block on; why not, if that fails. */
  async #read(block: number, into: Uint8Array): Promise<FsError | undefined> {
    const { cache } = this.#parts;
    try {
      await cache.bio.read(cache.sectorOf(block), into);
      return undefined;
    } catch (error) {
      return readError(block, error);
    }
  }
}

/** The error for a block that cannot be read. */
export function readError(block: number, error: unknown): FsError {
  if (error instanceof FsError && error.code === 'Busy') return error;
  return new FsError('InputOutput', `block ${block} cannot be read: ${messageOf(error)}`);
}
