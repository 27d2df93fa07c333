import { FsError, messageOf } from '../errors.ts';
import type { BlockIo } from '../hypercall/hypercalls.ts';
import type { BlockBuffer } from './block-buffer.ts';

/** The cache as seen by writes that go past it. */
export interface BypassedCache {
  readonly bio: BlockIo;
  sectorOf(block: number): number;
  /** Waits until no request of the cache is under way for a block. */
  settle(block: number): Promise<void>;
  /** Gives up the content of a block. */
  forget(block: number): void;
  dataFirst(): void;
  tryFresh(block: number): BlockBuffer | undefined;
  fresh(block: number): Promise<BlockBuffer>;
}

/**
 * Writes that go past the cache. Write-back waits for them, because a structure may already lead to
 * the blocks that they write.
 */
export class DirectWrites {
  readonly #cache: BypassedCache;
  readonly #underWay = new Set<Promise<void>>();

  constructor(cache: BypassedCache) {
    this.#cache = cache;
  }

  /** Resolves when the writes that are under way now have ended, successfully or not. */
  async settle(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  /** Writes adjacent blocks that are not in the cache. Rejects with `InputOutput`. */
  async write(first: number, from: Uint8Array): Promise<void> {
    const write = this.#cache.bio.write(this.#cache.sectorOf(first), from);
    const ended = write.catch(() => undefined);
    this.#underWay.add(ended);
    try {
      await write;
    } catch (error) {
      throw new FsError('InputOutput', `block ${first} cannot be written: ${messageOf(error)}`);
    } finally {
      this.#underWay.delete(ended);
    }
  }

  /**
   * Writes the first contents of a block that nothing leads to yet, to the device and into the
   * cache. So whichever part of the later writes a power failure lets through, nothing leads to the
   * block's former contents.
   */
  async writeFirst(block: number, contents: Uint8Array): Promise<void> {
    const cache = this.#cache;
    await cache.settle(block);
    cache.forget(block);
    cache.dataFirst();
    await this.write(block, contents);
    const buffer = cache.tryFresh(block) ?? (await cache.fresh(block));
    buffer.bytes.set(contents);
  }
}
