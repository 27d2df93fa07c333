/**
 * The memory of the cache: dataspaces, of which it gets more and gives some back while it runs. A
 * dataspace is taken out once its chunks have moved to others: the coldest clean chunks make room,
 * and if there are too few of them, dirty ones are written first.
 */
import { hasCode } from '@ginit/core';
import { Mutex } from '@ginit/core/async';
import type { BlockCache } from './block-cache.ts';
import type { Segment } from './chunk-memory.ts';
import { CHUNK_BYTES } from './geometry.ts';

/** Where the memory comes from: `env` is one, and its pieces are dataspaces. */
export interface MemorySource<Dataspace> {
  readonly ram: {
    allocate(bytes: number): Promise<Dataspace>;
    free(dataspace: Dataspace): Promise<void>;
  };
}

/** The cache is put together of so many pieces at first, so that it can give one of them back. */
const PIECES = 8;
export const GRANULE_CHUNKS_MIN = 16;
const GRANULE_CHUNKS_MAX = 256;
/** So often it is waited for a chunk that keeps a piece from going. */
const WAITS_MAX = 10_000;

interface Piece<Dataspace> {
  readonly dataspace: Dataspace;
  readonly segment: Segment;
  readonly bytes: number;
}

/** The number of chunks in a granule of a cache of so many bytes at the start: a power of two. */
export function granuleChunksOf(bytes: number): number {
  const most = Math.min(GRANULE_CHUNKS_MAX, bytes / CHUNK_BYTES / PIECES);
  return Math.max(GRANULE_CHUNKS_MIN, 2 ** Math.floor(Math.log2(most)));
}

export class CacheMemory<Dataspace extends { attach(): Uint8Array }> {
  readonly granuleBytes: number;
  readonly #env: MemorySource<Dataspace>;
  readonly #cache: BlockCache;
  readonly #pieces: Piece<Dataspace>[] = [];
  /** Sizes change one after the other. */
  readonly #lock = new Mutex();

  constructor(env: MemorySource<Dataspace>, cache: BlockCache, granuleChunks: number) {
    this.#env = env;
    this.#cache = cache;
    this.granuleBytes = granuleChunks * CHUNK_BYTES;
  }

  /** The bytes that it has now. */
  get bytes(): number {
    return this.#pieces.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Whole granules of at most so many bytes. */
  whole(bytes: number): number {
    return Math.max(0, Math.floor(bytes / this.granuleBytes)) * this.granuleBytes;
  }

  /**
   * Takes so many bytes, in whole granules and so many dataspaces, each of which costs a
   * capability. Rejects with `OUT_OF_RAM` or `OUT_OF_CAPS`.
   */
  grow(bytes: number, pieces = PIECES): Promise<void> {
    return this.#alone(() => this.#grow(bytes, pieces));
  }

  /**
   * Gives back so many bytes or a little more, in whole granules, but never the last one. The
   * result is the number of bytes that it could give back: what cannot be written to the device
   * stays.
   */
  shrink(bytes: number): Promise<number> {
    return this.#alone(() => this.#shrink(bytes));
  }

  /** Grows or shrinks to so many bytes. */
  async resize(bytes: number): Promise<void> {
    await this.#alone(async () => {
      const more = this.whole(bytes) - this.bytes;
      if (more > 0) await this.#grow(more, PIECES);
      else if (more < 0) await this.#shrink(-more);
    });
  }

  async #grow(bytes: number, pieces: number): Promise<void> {
    const all = this.whole(bytes);
    const each = Math.max(this.granuleBytes, this.whole(all / pieces));
    for (let left = all; left > 0; ) {
      // The last piece takes what is left over by rounding.
      const size = left - each < each ? left : each;
      await this.#add(size);
      left -= size;
    }
  }

  async #add(bytes: number): Promise<void> {
    const dataspace = await this.#env.ram.allocate(bytes);
    const segment = this.#cache.store.add(dataspace.attach());
    this.#pieces.push({ dataspace, segment, bytes });
  }

  async #shrink(bytes: number): Promise<number> {
    const wanted = Math.min(Math.ceil(bytes / this.granuleBytes) * this.granuleBytes, this.#spare());
    let freed = 0;
    while (freed < wanted) {
      const piece = this.#fitting(wanted - freed);
      // A piece that is too large goes as a whole, and a smaller one comes in its place.
      if (piece === undefined || !(await this.#takeOut(piece))) break;
      freed += piece.bytes;
    }
    const tooMuch = freed - Math.max(wanted, 0);
    if (tooMuch <= 0) return freed;
    try {
      await this.#grow(tooMuch, 1);
      return wanted;
    } catch (error) {
      if (!hasCode(error, 'OUT_OF_RAM') && !hasCode(error, 'OUT_OF_CAPS')) throw error;
      return freed;
    }
  }

  /** The bytes that may go: one granule stays. */
  #spare(): number {
    return Math.max(0, this.bytes - this.granuleBytes);
  }

  /** The smallest piece of at least so many bytes; else the largest. */
  #fitting(bytes: number): Piece<Dataspace> | undefined {
    const sorted = this.#pieces.toSorted((a, b) => a.bytes - b.bytes);
    return sorted.find((piece) => piece.bytes >= bytes) ?? sorted.at(-1);
  }

  /** Empties a piece and gives its memory back. False if that is not possible now. */
  async #takeOut(piece: Piece<Dataspace>): Promise<boolean> {
    const { store } = this.#cache;
    if (this.#pieces.length === 1) {
      // The chunks need somewhere to go.
      await this.#add(this.granuleBytes).catch(() => {});
      if (this.#pieces.length === 1) return false;
    }
    store.retire(piece.segment);
    for (let waits = 0; !store.empty(piece.segment); waits++) {
      const progress = waits < WAITS_MAX ? this.#cache.progress() : undefined;
      if (progress === undefined) {
        store.restore(piece.segment);
        return false;
      }
      await progress;
    }
    store.remove(piece.segment);
    this.#pieces.splice(this.#pieces.indexOf(piece), 1);
    await this.#env.ram.free(piece.dataspace);
    return true;
  }

  async #alone<Result>(work: () => Promise<Result>): Promise<Result> {
    await this.#lock.acquire();
    try {
      return await work();
    } finally {
      this.#lock.release();
    }
  }
}
