/** One client of the cache: the device that its session shows, and its own counts. */
import type { BlockBackend, BlockInfo } from '@ginit/core/block';

/** The operations of the cache that depend on who asks for them. */
export interface SharedCache extends Pick<BlockBackend, 'trim' | 'writeZeroes'> {
  readonly info: BlockInfo;
  readAs(client: CacheClient, block: number, count: number, into: Uint8Array): void | Promise<void>;
  writeAs(client: CacheClient, block: number, count: number, from: Uint8Array): void | Promise<void>;
  syncAs(client: CacheClient): Promise<void>;
}

export class CacheClient implements BlockBackend {
  readonly label: string;
  /** Its number as a writer of chunks. */
  readonly writer: number;
  /** Chunks of its reads that were in the cache, and that were not. */
  hits = 0;
  misses = 0;
  readonly #cache: SharedCache;

  constructor(cache: SharedCache, label: string, writer: number) {
    this.#cache = cache;
    this.label = label;
    this.writer = writer;
  }

  get info(): BlockInfo {
    return this.#cache.info;
  }

  read(block: number, count: number, into: Uint8Array): void | Promise<void> {
    return this.#cache.readAs(this, block, count, into);
  }

  write(block: number, count: number, from: Uint8Array): void | Promise<void> {
    return this.#cache.writeAs(this, block, count, from);
  }

  sync(): Promise<void> {
    return this.#cache.syncAs(this);
  }

  trim(block: number, count: number): ReturnType<BlockBackend['trim']> {
    return this.#cache.trim(block, count);
  }

  writeZeroes(block: number, count: number): ReturnType<BlockBackend['writeZeroes']> {
    return this.#cache.writeZeroes(block, count);
  }
}
