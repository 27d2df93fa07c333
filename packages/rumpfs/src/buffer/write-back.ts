import { FsError, messageOf } from '../errors.ts';
import type { Hypercalls } from '../hypercall/hypercalls.ts';
import { Mutex } from '../hypercall/mutex.ts';
import type { BlockBuffer, DirtyKind } from './block-buffer.ts';
import type { BufferCache } from './buffer-cache.ts';

/** Data before the structures that point to it, those before the names that lead to them. */
const order: readonly DirtyKind[] = ['data', 'structure', 'name'];

/** What one pass could not write. */
interface Failure {
  blocks: number;
  first: string;
}

/**
 * Writes dirty buffers back: in passes, one at a time, adjacent blocks in one request, as many requests at
 * once as there are staging areas. A block that fails stays dirty; it is tried again by every later pass, and
 * `flush` reports what is still not written, so no error is ever lost.
 */
export class WriteBack {
  readonly #cache: BufferCache;
  readonly #hypercalls: Hypercalls;
  readonly #onePass = new Mutex();
  #background: Promise<void> | undefined = undefined;
  #failing = false;

  constructor(cache: BufferCache, hypercalls: Hypercalls) {
    this.#cache = cache;
    this.#hypercalls = hypercalls;
  }

  /** Whether the last pass left blocks behind that the device refused, and none is running now. */
  get stuck(): boolean {
    return this.#failing && this.#background === undefined;
  }

  startInBackground(): void {
    this.#background ??= this.#runInBackground();
  }

  /** Resolves when the pass that runs now (or one that starts now) has ended; it never rejects. */
  whenPassEnds(): Promise<void> {
    this.startInBackground();
    return this.#background ?? Promise.resolve();
  }

  /** Writes what is dirty now. Rejects with `InputOutput` when some of it could not be written. */
  async flush(): Promise<void> {
    const failure = await this.#pass();
    if (failure.blocks > 0) {
      throw new FsError('InputOutput', `${failure.blocks} blocks cannot be written; first ${failure.first}`);
    }
  }

  async #runInBackground(): Promise<void> {
    const failedBefore = this.#failing;
    const failure = await this.#pass();
    this.#background = undefined;
    if (failure.blocks > 0 && !failedBefore) {
      this.#hypercalls.console(`${failure.blocks} blocks cannot be written; first ${failure.first}`);
    }
    this.#cache.passEnded();
  }

  async #pass(): Promise<Failure> {
    await this.#onePass.acquire();
    const failure: Failure = { blocks: 0, first: '' };
    try {
      for (const kind of order) await this.#writeKind(kind, failure);
      this.#failing = failure.blocks > 0;
    } finally {
      this.#onePass.release();
      this.#cache.passEnded();
    }
    return failure;
  }

  async #writeKind(kind: DirtyKind, failure: Failure): Promise<void> {
    const buffers = this.#cache.takeDirty(kind);
    const blocksMax = this.#cache.staging.areaBytes / this.#cache.blockSizeBytes;
    const writes: Promise<void>[] = [];
    for (let start = 0; start < buffers.length; ) {
      const area = await this.#cache.staging.take();
      const run = this.#fill(area, buffers, start, blocksMax, kind);
      if (run.length > 0) writes.push(this.#write(area, run, kind, failure));
      else this.#cache.staging.back(area);
      start += Math.max(1, run.length);
    }
    await Promise.all(writes);
  }

  /**
   * Copies the run of adjacent blocks that starts at `start` into the area; empty when that one is dirty no
   * more.
   */
  #fill(
    area: Uint8Array,
    buffers: readonly BlockBuffer[],
    start: number,
    blocksMax: number,
    kind: DirtyKind,
  ): BlockBuffer[] {
    const size = this.#cache.blockSizeBytes;
    const run: BlockBuffer[] = [];
    while (run.length < blocksMax) {
      const buffer = buffers[start + run.length];
      const last = run.at(-1);
      if (buffer === undefined || buffer.dirty !== kind || buffer.writing) break;
      if (last !== undefined && last.block + 1 !== buffer.block) break;
      area.set(buffer.bytes, run.length * size);
      this.#cache.beginWrite(buffer);
      run.push(buffer);
    }
    return run;
  }

  async #write(area: Uint8Array, run: BlockBuffer[], kind: DirtyKind, failure: Failure): Promise<void> {
    const first = run[0]?.block ?? 0;
    let done = true;
    try {
      const bytes = area.subarray(0, run.length * this.#cache.blockSizeBytes);
      await this.#cache.bio.write(this.#cache.sectorOf(first), bytes);
    } catch (error) {
      done = false;
      if (failure.blocks === 0) failure.first = `block ${first}: ${messageOf(error)}`;
      failure.blocks += run.length;
    }
    this.#cache.staging.back(area);
    for (const buffer of run) this.#cache.endWrite(buffer, kind, done);
  }
}
