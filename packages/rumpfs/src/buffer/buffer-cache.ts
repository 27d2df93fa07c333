import { Condition, type Deferred, deferred } from '@ginit/core/async';
import { SlotLists } from '@ginit/core/block';
import { assert, FsError, messageOf } from '../errors.ts';
import type { BlockIo, Hypercalls } from '../hypercall/hypercalls.ts';
import { WAITERS } from '../hypercall/waiters.ts';
import { BlockBuffer, type DirtyKind } from './block-buffer.ts';
import { BufferSlabs } from './buffer-slabs.ts';
import { type CacheOptions, shareOut } from './budget.ts';
import { type BypassedCache, DirectWrites } from './direct-writes.ts';
import type { MetadataLog, OwnStructures } from './metadata-log.ts';
import { NameOrder } from './name-order.ts';
import { PrefetchReads, readError } from './prefetch-reads.ts';
import { StagingPool } from './staging-pool.ts';
import { type DirtyBuffers, WriteBack } from './write-back.ts';

const LIST_FREE = 1;
const LIST_CLEAN = 2;
const LIST_DIRTY = { data: 3, structure: 4, name: 5 } as const satisfies Record<DirtyKind, number>;
const LIST_COUNT = 5;

const settled = Promise.resolve();

/**
 * The buffer cache: blocks of the device, as many as the memory budget allows, replaced in the
 * order of their last use.
 *
 * The rule of use is `const buffer = cache.peek(block) ?? (await cache.read(block))`, used at once:
 * a buffer is good only until the next `await`, so nothing is pinned and nothing can leak. `read`
 * and `fresh` keep a buffer from being replaced until the callers that await their promise
 * *directly* have run; do not pass these promises through another async function.
 */
export class BufferCache implements DirtyBuffers, BypassedCache {
  readonly blockSizeBytes: number;
  readonly bio: BlockIo;
  readonly staging: StagingPool;
  readonly direct: DirectWrites;
  readonly nameOrder = new NameOrder();
  /** Structures that their owner keeps itself. */
  own: OwnStructures | undefined = undefined;
  /** The log through which structures and names become durable; undefined without one. */
  log: MetadataLog | undefined = undefined;
  readonly #sectorsPerBlock: number;
  readonly #firstSector: number;
  readonly #buffersMax: number;
  readonly #lists: SlotLists;
  readonly #slabs: BufferSlabs;
  readonly #resident = new Map<number, BlockBuffer>();
  readonly #loading = new Map<number, Promise<BlockBuffer>>();
  readonly #slotReady = new Condition(WAITERS);
  readonly #writeBack: WriteBack;
  readonly #ahead: PrefetchReads;
  readonly #orderedMax: number;
  #passes = 0;
  #dataFirst = false;

  /** @param memoryBytes the part of the budget that buffers and staging may take */
  constructor(
    hypercalls: Hypercalls,
    blockSizeBytes: number,
    memoryBytes: number,
    { copiesPart, firstSector = 0 }: CacheOptions = {},
  ) {
    this.bio = hypercalls.bio;
    this.#firstSector = firstSector;
    this.blockSizeBytes = blockSizeBytes;
    this.#sectorsPerBlock = blockSizeBytes / hypercalls.bio.sectorSizeBytes;
    assert(Number.isInteger(this.#sectorsPerBlock), 'a block is a whole number of sectors');
    const shares = shareOut(memoryBytes, blockSizeBytes, copiesPart);
    this.staging = new StagingPool(shares.areaBytes, shares.areas);
    this.#orderedMax = shares.orderedMax;
    this.#buffersMax = shares.buffersMax;
    this.#slabs = new BufferSlabs(blockSizeBytes, this.#buffersMax);
    this.#lists = new SlotLists(this.#buffersMax, LIST_COUNT);
    this.direct = new DirectWrites(this);
    this.#writeBack = new WriteBack(this, hypercalls);
    this.#ahead = new PrefetchReads({
      cache: this,
      loading: this.#loading,
      takeSlots: (count) => this.#takeSlots(count),
      arrived: (block, buffer) => {
        this.#install(block, buffer);
        this.#lend(buffer);
      },
      failed: (buffer) => this.#free(buffer),
    });
  }

  get buffersMax(): number {
    return this.#buffersMax;
  }

  get dirtyCount(): number {
    return this.#lists.length(LIST_DIRTY.data) + this.orderedCount;
  }

  /** The number of structures and names that are dirty. */
  get orderedCount(): number {
    return this.#lists.length(LIST_DIRTY.structure) + this.#lists.length(LIST_DIRTY.name);
  }

  /** The number of structures and names that may be dirty before callers that add to them wait. */
  get orderedMax(): number {
    return this.#orderedMax;
  }

  /** The number of passes of write-back that have begun; each block dirtied since is unwritten. */
  get passes(): number {
    return this.#passes;
  }

  sectorOf(block: number): number {
    return this.#firstSector + block * this.#sectorsPerBlock;
  }

  /** Whether the newest content of the block may be somewhere else than on the device. */
  involves(block: number): boolean {
    return this.#resident.has(block) || this.#loading.has(block);
  }

  /** The block if it is in memory. */
  peek(block: number): BlockBuffer | undefined {
    const buffer = this.#resident.get(block);
    if (buffer !== undefined && this.#lists.listOf(buffer.slot) === LIST_CLEAN) {
      this.#lists.putFirst(buffer.slot, LIST_CLEAN);
    }
    return buffer;
  }

  /**
   * The block, from memory or from the device; concurrent readers share one request.
   * Rejects with `InputOutput` when the device fails.
   */
  read(block: number): Promise<BlockBuffer> {
    const loading = this.#loading.get(block);
    if (loading !== undefined) return loading;
    const resident = this.peek(block);
    if (resident !== undefined) {
      this.#lend(resident);
      return Promise.resolve(resident);
    }
    const result = deferred<BlockBuffer>();
    this.#loading.set(block, result.promise);
    void this.#load(block, result);
    return result.promise;
  }

  /** A buffer for a block that is about to be overwritten whole; its bytes are arbitrary. */
  tryFresh(block: number): BlockBuffer | undefined {
    if (this.#loading.has(block)) return undefined;
    const resident = this.peek(block);
    if (resident !== undefined) {
      resident.forgotten = false;
      resident.disown();
      return resident;
    }
    const buffer = this.#takeSlot();
    if (buffer !== undefined) this.#install(block, buffer);
    return buffer;
  }

  /** `tryFresh`, waiting for a buffer where none is free. */
  fresh(block: number): Promise<BlockBuffer> {
    const result = deferred<BlockBuffer>();
    void this.#claim(block, result);
    return result.promise;
  }

  /**
   * Says that `buffer` was changed. If it holds another block by now, the device has one block
   * under two owners, and the other has freed it; so this throws `Corrupt`. `seal` completes the
   * content before it is written; what was set before stays without it.
   */
  markDirty(buffer: BlockBuffer, block: number, kind: DirtyKind, seal?: (bytes: Uint8Array) => void): void {
    if (buffer.block !== block) throw new FsError('Corrupt', `block ${block} was freed while in use`);
    // A log makes all changes of a transaction durable at once, so it needs no order of names.
    const dirty = kind === 'name' && this.log !== undefined ? 'structure' : kind;
    buffer.dirty = dirty;
    // A file may have a structure's block on a damaged device; the structure is then checked again.
    if (kind === 'data') buffer.verifiedAs = 0;
    if (seal !== undefined) buffer.seal = seal;
    this.#lists.putFirst(buffer.slot, LIST_DIRTY[dirty]);
    if (this.dirtyCount > this.#buffersMax / 2 || this.orderedCount > this.#orderedMax / 2)
      this.#writeBack.startInBackground();
  }

  /** Resolves when the pass of write-back that runs now, or one that starts now, has ended. */
  whenPassEnds(): Promise<void> {
    return this.#writeBack.whenPassEnds();
  }

  /** If write-back is behind, a promise that those who want to change more must wait for. */
  throttle(): Promise<void> | undefined {
    const behind = this.dirtyCount > (this.#buffersMax * 3) / 4 || this.orderedCount > this.#orderedMax;
    return behind ? this.#writeBack.whenPassEnds() : undefined;
  }

  /** Blocks were taken into use: their content must be durable before a structure leads to them. */
  dataFirst(): void {
    this.#dataFirst = true;
  }

  /**
   * Makes sure that the directory block `first` is durable before `then`, which is about to be
   * changed, is written, so that a name that moves is always in one of them. False if `then` must
   * itself go ahead of another block; then the caller must flush `first` durably.
   */
  orderNames(first: number, then: number): boolean {
    if (this.log !== undefined) return true;
    const buffer = this.#resident.get(first);
    if (first === then || buffer === undefined || (buffer.dirty === undefined && !buffer.writing))
      return true;
    return this.nameOrder.add(first, then, this.#passes);
  }

  /** For write-back: a pass begins. Says whether data must be durable before structures. */
  beginPass(): boolean {
    this.#passes += 1;
    const dataFirst = this.#dataFirst;
    this.#dataFirst = false;
    return dataFirst;
  }

  /** Gives up the content of a block that was freed; nothing of it is written any more. */
  forget(block: number): void {
    const buffer = this.#resident.get(block);
    if (buffer === undefined) return;
    buffer.dirty = undefined;
    this.#lists.remove(buffer.slot);
    this.nameOrder.forget(block);
    if (buffer.writing) buffer.forgotten = true;
    else this.#free(buffer);
  }

  /**
   * Waits until no request of the cache is under way for a block, so that its owner may write it
   * past the cache.
   */
  async settle(block: number): Promise<void> {
    while (this.#loading.has(block) || this.#resident.get(block)?.writing === true) {
      const loading = this.#loading.get(block);
      if (loading !== undefined) await loading.catch(() => undefined);
      else await this.#writeBack.whenPassEnds();
    }
  }

  /** Reads blocks ahead into free buffers; errors are told when somebody reads the blocks. */
  prefetch(first: number, count: number): void {
    this.#ahead.prefetch(first, count);
  }

  /**
   * Writes back everything dirty and returns when it is on the device (not yet durable). Rejects
   * `InputOutput`.
   */
  async flush(): Promise<void> {
    await this.#writeBack.flush();
  }

  /**
   * Writes back everything dirty and makes it durable: by a `barrier`, unless a transaction of the
   * log has done so already. Rejects with `InputOutput`.
   */
  async flushDurably(): Promise<void> {
    if (!(await this.#writeBack.flush())) await this.barrier();
  }

  /** Makes all acknowledged writes durable. Rejects with `InputOutput`. */
  async barrier(): Promise<void> {
    try {
      await this.bio.sync();
    } catch (error) {
      throw new FsError('InputOutput', `the device cannot sync: ${messageOf(error)}`);
    }
  }

  /** For write-back: the dirty buffers of a kind, in ascending order of their blocks. */
  takeDirty(kind: DirtyKind): BlockBuffer[] {
    const buffers: BlockBuffer[] = [];
    const list = LIST_DIRTY[kind];
    for (let slot = this.#lists.last(list); slot >= 0; slot = this.#lists.before(slot)) {
      const buffer = this.#slabs.buffers[slot];
      if (buffer !== undefined && !buffer.writing) buffers.push(buffer);
    }
    return buffers.toSorted((one, other) => one.block - other.block);
  }

  /** For write-back: a copy of the buffer is about to be written. */
  beginWrite(buffer: BlockBuffer): void {
    assert(!buffer.writing, 'one write of a block at a time');
    buffer.writing = true;
    buffer.dirty = undefined;
    this.#lists.remove(buffer.slot);
  }

  /** For write-back: the write ended. A failed block stays dirty for a later `flush` to try. */
  endWrite(buffer: BlockBuffer, kind: DirtyKind, done: boolean): void {
    buffer.writing = false;
    if (buffer.forgotten) {
      buffer.forgotten = false;
      this.#free(buffer);
    } else if (buffer.dirty === undefined) {
      if (done) {
        this.nameOrder.written(buffer.block, this.#passes);
        this.#toClean(buffer);
      } else {
        buffer.dirty = kind;
        this.#lists.putFirst(buffer.slot, LIST_DIRTY[kind]);
      }
    }
  }

  /** For write-back: a pass ended; those who wait for a buffer look again. */
  passEnded(): void {
    this.#slotReady.wakeAll();
  }

  async #load(block: number, result: Deferred<BlockBuffer>): Promise<void> {
    let buffer: BlockBuffer | undefined;
    try {
      buffer = this.#takeSlot() ?? (await this.#waitForSlot());
      await this.bio.read(this.sectorOf(block), buffer.bytes);
    } catch (error) {
      this.#loading.delete(block);
      if (buffer !== undefined) this.#free(buffer);
      result.reject(readError(block, error));
      return;
    }
    this.#loading.delete(block);
    this.#install(block, buffer);
    this.#lend(buffer);
    result.resolve(buffer);
  }

  async #claim(block: number, result: Deferred<BlockBuffer>): Promise<void> {
    try {
      for (;;) {
        const buffer = this.tryFresh(block);
        if (buffer !== undefined) {
          this.#lend(buffer);
          result.resolve(buffer);
          return;
        }
        const loading = this.#loading.get(block);
        if (loading !== undefined) await loading.catch(() => undefined);
        else this.#free(await this.#waitForSlot());
      }
    } catch (error) {
      result.reject(error);
    }
  }

  #install(block: number, buffer: BlockBuffer): void {
    assert(!this.#resident.has(block), 'one buffer a block');
    buffer.block = block;
    buffer.disown();
    this.#resident.set(block, buffer);
    this.#toClean(buffer);
  }

  /**
   * Keeps the buffer from being replaced until those who await it have run. Their continuations are
   * queued when the promise resolves, in this turn; ours comes a few turns later.
   */
  #lend(buffer: BlockBuffer): void {
    buffer.lent += 1;
    if (this.#lists.listOf(buffer.slot) === LIST_CLEAN) this.#lists.remove(buffer.slot);
    void settled.then(() => settled).then(() => this.#takeBack(buffer));
  }

  #takeBack(buffer: BlockBuffer): void {
    buffer.lent -= 1;
    if (buffer.lent > 0 || buffer.writing || this.#lists.listOf(buffer.slot) !== 0) return;
    if (buffer.block < 0) this.#free(buffer);
    else if (buffer.dirty === undefined) this.#toClean(buffer);
  }

  #toClean(buffer: BlockBuffer): void {
    if (buffer.lent > 0) return;
    this.#lists.putFirst(buffer.slot, LIST_CLEAN);
    if (this.#slotReady.waiters > 0) this.#slotReady.wakeOne();
  }

  #free(buffer: BlockBuffer): void {
    if (this.#resident.get(buffer.block) === buffer) this.#resident.delete(buffer.block);
    buffer.block = -1;
    buffer.dirty = undefined;
    if (buffer.lent > 0) return;
    this.#lists.putFirst(buffer.slot, LIST_FREE);
    if (this.#slotReady.waiters > 0) this.#slotReady.wakeOne();
  }

  /** A buffer that holds nothing and is in no list. */
  #takeSlot(): BlockBuffer | undefined {
    if (this.#lists.length(LIST_FREE) === 0) this.#grow();
    const free = this.#lists.last(LIST_FREE);
    const slot = free < 0 ? this.#lists.last(LIST_CLEAN) : free;
    const buffer = slot < 0 ? undefined : this.#slabs.buffers[slot];
    if (buffer === undefined) return undefined;
    this.#lists.remove(slot);
    if (buffer.block >= 0) this.#resident.delete(buffer.block);
    buffer.block = -1;
    return buffer;
  }

  /** That many buffers that hold nothing, if there are as many. */
  #takeSlots(count: number): BlockBuffer[] | undefined {
    if (this.#lists.length(LIST_FREE) + this.#lists.length(LIST_CLEAN) < count) this.#grow();
    if (this.#lists.length(LIST_FREE) + this.#lists.length(LIST_CLEAN) < count) return undefined;
    return Array.from({ length: count }, () => {
      const buffer = this.#takeSlot();
      assert(buffer !== undefined, 'a free buffer that was counted');
      return buffer;
    });
  }

  async #waitForSlot(): Promise<BlockBuffer> {
    for (;;) {
      if (this.log !== undefined) await this.#relieve();
      if (this.dirtyCount > 0) this.#writeBack.startInBackground();
      const ready = this.#takeSlot();
      if (ready !== undefined) return ready;
      await this.#slotReady.wait();
      const buffer = this.#takeSlot();
      if (buffer !== undefined) return buffer;
      if (this.#writeBack.stuck) {
        throw new FsError('InputOutput', 'every buffer holds a block that the device does not take');
      }
    }
  }

  /**
   * Writes file data back beside a pass, which may be waiting for the very operation that needs the
   * buffer. If that is of no use, all buffers hold changes of operations under way, which cannot go
   * on then.
   */
  async #relieve(): Promise<void> {
    if (await this.#writeBack.relieve()) return;
    if (this.#lists.length(LIST_FREE) + this.#lists.length(LIST_CLEAN) > 0) return;
    if (this.#lists.length(LIST_DIRTY.data) > 0)
      throw new FsError('InputOutput', 'every buffer holds a block that the device does not take');
    if (this.#lists.length(LIST_DIRTY.structure) === this.#buffersMax)
      throw new FsError('NoMemory', 'every buffer holds a change of an operation that is under way');
  }

  #grow(): void {
    for (const { slot } of this.#slabs.grow()) this.#lists.putFirst(slot, LIST_FREE);
  }
}
