import { inLanes, Mutex } from '@ginit/core/async';
import { FsError, messageOf } from '../errors.ts';
import type { BlockIo, Hypercalls } from '../hypercall/hypercalls.ts';
import { WAITERS } from '../hypercall/waiters.ts';
import type { BlockBuffer, DirtyKind } from './block-buffer.ts';
import type { DirectWrites } from './direct-writes.ts';
import type { LoggedBlock, MetadataLog, OwnStructures } from './metadata-log.ts';
import type { NameOrder } from './name-order.ts';
import type { StagingPool } from './staging-pool.ts';

/** The largest number of requests for structures and names that are under way at the same time. */
const REQUESTS_MAX = 8;

/** The cache as write-back sees it: its dirty buffers, and the device under them. */
export interface DirtyBuffers {
  readonly bio: BlockIo;
  readonly blockSizeBytes: number;
  readonly staging: StagingPool;
  readonly nameOrder: NameOrder;
  readonly direct: DirectWrites;
  readonly own: OwnStructures | undefined;
  readonly log: MetadataLog | undefined;
  sectorOf(block: number): number;
  /** Begins a pass. Says whether data must be durable before structures. */
  beginPass(): boolean;
  /** Says that a pass has ended; callers that wait for a buffer look again. */
  passEnded(): void;
  /**
   * Resolves when everything that the device has acknowledged so far is durable. Rejects with
   * `InputOutput`.
   */
  barrier(): Promise<void>;
  /**
   * Says that data must still become durable before a structure leads to it; the next pass does
   * that.
   */
  dataFirst(): void;
  /** The dirty buffers of a kind, in ascending order of their blocks. */
  takeDirty(kind: DirtyKind): BlockBuffer[];
  /** A copy of the buffer is about to be written. */
  beginWrite(buffer: BlockBuffer): void;
  /**
   * Says that the write has ended. A block that failed stays dirty, so that a later `flush` tries
   * it again.
   */
  endWrite(buffer: BlockBuffer, kind: DirtyKind, done: boolean): void;
}

/** The blocks that one pass could not write. */
interface Failure {
  blocks: number;
  first: string;
}

/** The outcome of a pass. */
interface Outcome {
  readonly failure: Failure;
  /** Whether the pass has made everything durable that was dirty when it began. */
  readonly durable: boolean;
}

/**
 * Blocks as they were when the pass began, in ascending order; the buffers may have changed since.
 */
interface Copies {
  readonly kind: DirtyKind;
  readonly buffers: readonly BlockBuffer[];
  readonly bytes: Uint8Array;
}

/** The place of adjacent blocks among the copies. */
interface CopiedRun {
  readonly from: number;
  readonly end: number;
}

/**
 * Writes dirty buffers back: in passes, one at a time, adjacent blocks in one request, several
 * requests at once. A block that fails stays dirty. Every later pass tries it again, and `flush`
 * reports everything that is still not written, so no error is ever lost.
 *
 * The order makes a power failure harmless. Data is written first. If blocks were taken into use
 * since the last pass, a sync of the device follows. Then the structures that lead to the data are
 * written, then there is another sync, and then the names are written, in the order that
 * `NameOrder` asks for. Structures and names are written as they were when the pass began:
 * everything that they lead to was dirty by then, and is written before them, whatever operations
 * go on meanwhile.
 */
export class WriteBack {
  readonly #cache: DirtyBuffers;
  readonly #hypercalls: Hypercalls;
  readonly #onePass = new Mutex(WAITERS);
  #background: Promise<void> | undefined = undefined;
  #relief: Promise<boolean> | undefined = undefined;
  /** The failures of the pass that is running. */
  #passFailure: Failure | undefined = undefined;
  #failing = false;
  /** Blocks of the last transaction of the log that could not be written at their own places. */
  #unplaced: readonly LoggedBlock[] = [];

  constructor(cache: DirtyBuffers, hypercalls: Hypercalls) {
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

  /** Resolves when the pass that runs now (or one that starts now) has ended. It never rejects. */
  whenPassEnds(): Promise<void> {
    this.startInBackground();
    return this.#background ?? Promise.resolve();
  }

  /**
   * Writes everything that is dirty now. Resolves to whether all of it is durable already, by a
   * transaction of the log. Rejects with `InputOutput` when some of it could not be written.
   */
  async flush(): Promise<boolean> {
    const { failure, durable } = await this.#pass();
    if (failure.blocks > 0) {
      throw new FsError('InputOutput', `${failure.blocks} blocks cannot be written; first ${failure.first}`);
    }
    return durable;
  }

  /**
   * Writes the file data that is dirty now, beside a pass if need be. Resolves to whether anything
   * was written.
   */
  relieve(): Promise<boolean> {
    this.#relief ??= this.#relieve();
    return this.#relief;
  }

  async #relieve(): Promise<boolean> {
    const failure: Failure = { blocks: 0, first: '' };
    const count = this.#cache.takeDirty('data').length;
    await this.#writeData(failure);
    this.#relief = undefined;
    // A pass that is running relies on the blocks that were taken from it.
    if (failure.blocks > 0 && this.#passFailure !== undefined) addFailure(this.#passFailure, failure);
    this.#cache.passEnded();
    return count > failure.blocks;
  }

  async #runInBackground(): Promise<void> {
    const failedBefore = this.#failing;
    const { failure } = await this.#pass();
    this.#background = undefined;
    if (failure.blocks > 0 && !failedBefore) {
      this.#hypercalls.console(`${failure.blocks} blocks cannot be written; first ${failure.first}`);
    }
    this.#cache.passEnded();
  }

  async #pass(): Promise<Outcome> {
    await this.#onePass.acquire();
    const failure: Failure = { blocks: 0, first: '' };
    let durable = false;
    this.#passFailure = failure;
    try {
      const { log } = this.#cache;
      if (log === undefined) await this.#passInOrder(failure);
      else durable = await this.#passWithLog(log, failure);
      this.#failing = failure.blocks > 0;
    } finally {
      this.#passFailure = undefined;
      this.#onePass.release();
      this.#cache.passEnded();
    }
    return { failure, durable };
  }

  async #passInOrder(failure: Failure): Promise<void> {
    const dataFirst = this.#cache.beginPass();
    const direct = this.#cache.direct.settle();
    const own = this.#cache.own?.take() ?? [];
    const structures = this.#copy('structure', this.#cache.takeDirty('structure'));
    const names = this.#copyNames();
    await this.#writeData(failure);
    await direct;
    const any = structures.buffers.length + own.length > 0;
    let reached = true;
    if (dataFirst) {
      if (any) reached = await this.#barrier();
      if (!any || !reached) this.#cache.dataFirst();
    }
    await this.#writeStructures(structures, reached, failure);
    if (own.length > 0) {
      const done = reached && (await this.#writeBlocks(own, failure));
      this.#cache.own?.written(done, done);
    }
    await this.#writeNames(names, reached, failure);
  }

  /**
   * Data goes first, also while operations under way end. Then the structures, as they are when
   * none is under way, become one transaction of the log, and are written at their places. The
   * result is whether the log has made all of it durable.
   */
  async #passWithLog(log: MetadataLog, failure: Failure): Promise<boolean> {
    await this.#writeData(failure);
    if (!(await this.#writeBlocks(this.#unplaced, failure))) return false;
    if (this.#unplaced.length > 0) log.placed();
    this.#unplaced = [];
    await log.quiesce();
    this.#cache.beginPass();
    const direct = this.#cache.direct.settle();
    const own = this.#cache.own?.take() ?? [];
    const structures = this.#copy('structure', this.#cache.takeDirty('structure'));
    const blocks = [...own, ...this.#blocksOf(structures)];
    log.begin(blocks);
    await this.#writeData(failure);
    // Data that is being written beside this pass belongs to the transaction as well.
    await this.#relief;
    await direct;
    const committed = failure.blocks === 0 ? await this.#commit(log, failure) : undefined;
    if (committed === undefined) {
      if (failure.blocks === 0) failure.first = 'the journal';
      log.abandon();
      this.#cache.own?.written(false, false);
      this.#leave(structures, failure);
      return false;
    }
    const placed = await this.#writeBlocks(own, failure);
    this.#cache.own?.written(true, placed);
    await this.#writeCopies(structures, failure);
    if (placed && failure.blocks === 0) log.placed();
    else this.#unplaced = blocks;
    return committed;
  }

  /** Commits, and resolves to what the log says of it; undefined where it cannot. */
  async #commit(log: MetadataLog, failure: Failure): Promise<boolean | undefined> {
    try {
      return await log.commit();
    } catch (error) {
      addFailure(failure, { blocks: 1, first: messageOf(error) });
      return undefined;
    }
  }

  /** Writes blocks that are in no buffer; false where one could not be written. */
  async #writeBlocks(blocks: readonly LoggedBlock[], failure: Failure): Promise<boolean> {
    const before = failure.blocks;
    for (const { block, bytes } of blocks) await this.#write(bytes, [], 'structure', failure, block);
    return failure.blocks === before;
  }

  #blocksOf(copies: Copies): LoggedBlock[] {
    const size = this.#cache.blockSizeBytes;
    return copies.buffers.map(({ block }, index) => ({
      block,
      bytes: copies.bytes.subarray(index * size, (index + 1) * size),
    }));
  }

  /**
   * Syncs the device. False where it cannot: then everything that has to be written after the sync
   * stays dirty.
   */
  async #barrier(): Promise<boolean> {
    try {
      await this.#cache.barrier();
      return true;
    } catch {
      return false;
    }
  }

  async #writeData(failure: Failure): Promise<void> {
    const buffers = this.#cache.takeDirty('data');
    const blocksMax = this.#cache.staging.areaBytes / this.#cache.blockSizeBytes;
    const writes: Promise<void>[] = [];
    for (let start = 0; start < buffers.length; ) {
      const area = await this.#cache.staging.take();
      const run = this.#fill(area, buffers, start, blocksMax);
      if (run.length > 0) writes.push(this.#writeRun(area, run, failure));
      else this.#cache.staging.back(area);
      start += Math.max(1, run.length);
    }
    await Promise.all(writes);
  }

  /**
   * Copies the run of adjacent blocks that starts at `start` into the area. The result is empty
   * when the first of them is not dirty any more.
   */
  #fill(area: Uint8Array, buffers: readonly BlockBuffer[], start: number, blocksMax: number): BlockBuffer[] {
    const size = this.#cache.blockSizeBytes;
    const run: BlockBuffer[] = [];
    while (run.length < blocksMax) {
      const buffer = buffers[start + run.length];
      const last = run.at(-1);
      if (buffer === undefined || buffer.dirty !== 'data' || buffer.writing) break;
      if (last !== undefined && last.block + 1 !== buffer.block) break;
      area.set(buffer.bytes, run.length * size);
      this.#cache.beginWrite(buffer);
      run.push(buffer);
    }
    return run;
  }

  async #writeRun(area: Uint8Array, run: readonly BlockBuffer[], failure: Failure): Promise<void> {
    const bytes = area.subarray(0, run.length * this.#cache.blockSizeBytes);
    await this.#write(bytes, run, 'data', failure);
    this.#cache.staging.back(area);
  }

  /** Takes dirty buffers, and copies their present contents. */
  #copy(kind: DirtyKind, buffers: readonly BlockBuffer[]): Copies {
    const size = this.#cache.blockSizeBytes;
    const bytes = new Uint8Array(buffers.length * size);
    for (const [index, buffer] of buffers.entries()) {
      buffer.seal?.(buffer.bytes);
      bytes.set(buffer.bytes, index * size);
      this.#cache.beginWrite(buffer);
    }
    return { kind, buffers, bytes };
  }

  /** The dirty names, separated by their level, the lowest level first. */
  #copyNames(): Copies[] {
    const levels: BlockBuffer[][] = [];
    for (const buffer of this.#cache.takeDirty('name')) {
      (levels[this.#cache.nameOrder.levelOf(buffer.block)] ??= []).push(buffer);
    }
    return levels.flatMap((buffers) => [this.#copy('name', buffers)]);
  }

  async #writeStructures(copies: Copies, reached: boolean, failure: Failure): Promise<void> {
    if (reached) await this.#writeCopies(copies, failure);
    else this.#leave(copies, failure);
  }

  /**
   * Writes names level by level: a level is written only after the level before it, and all of them
   * only after the structures.
   */
  async #writeNames(levels: readonly Copies[], reached: boolean, failure: Failure): Promise<void> {
    let going = reached;
    for (const level of levels) {
      going &&= await this.#barrier();
      const before = failure.blocks;
      if (going) await this.#writeCopies(level, failure);
      else this.#leave(level, failure);
      going &&= failure.blocks === before;
    }
  }

  async #writeCopies(copies: Copies, failure: Failure): Promise<void> {
    const size = this.#cache.blockSizeBytes;
    const runs = this.#runsOf(copies.buffers).values();
    const writer = async (): Promise<void> => {
      for (const { from, end } of runs) {
        const run = copies.buffers.slice(from, end);
        await this.#write(copies.bytes.subarray(from * size, end * size), run, copies.kind, failure);
      }
    };
    await inLanes(REQUESTS_MAX, writer);
  }

  #runsOf(buffers: readonly BlockBuffer[]): CopiedRun[] {
    const blocksMax = this.#cache.staging.areaBytes / this.#cache.blockSizeBytes;
    const runs: CopiedRun[] = [];
    for (let from = 0; from < buffers.length; ) {
      const first = buffers[from]?.block ?? 0;
      let end = from + 1;
      while (end - from < blocksMax && buffers[end]?.block === first + end - from) end += 1;
      runs.push({ from, end });
      from = end;
    }
    return runs;
  }

  /** Leaves blocks dirty that cannot be written yet. */
  #leave(copies: Copies, failure: Failure): void {
    if (failure.blocks === 0) failure.first = 'what is behind a sync that the device cannot do';
    failure.blocks += copies.buffers.length;
    for (const buffer of copies.buffers) this.#cache.endWrite(buffer, copies.kind, false);
  }

  async #write(
    bytes: Uint8Array,
    run: readonly BlockBuffer[],
    kind: DirtyKind,
    failure: Failure,
    first = run[0]?.block ?? 0,
  ): Promise<void> {
    let done = true;
    try {
      await this.#cache.bio.write(this.#cache.sectorOf(first), bytes);
    } catch (error) {
      done = false;
      if (failure.blocks === 0) failure.first = `block ${first}: ${messageOf(error)}`;
      failure.blocks += Math.max(1, run.length);
    }
    for (const buffer of run) this.#cache.endWrite(buffer, kind, done);
  }
}

function addFailure(failure: Failure, { blocks, first }: Failure): void {
  if (failure.blocks === 0) failure.first = first;
  failure.blocks += blocks;
}
