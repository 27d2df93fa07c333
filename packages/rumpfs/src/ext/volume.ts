import { Mutex } from '@ginit/core/async';
import type { BufferCache } from '../buffer/buffer-cache.ts';
import type { ChangeGate } from '../buffer/change-gate.ts';
import { FsError } from '../errors.ts';
import type { Hypercalls } from '../hypercall/hypercalls.ts';
import { WAITERS } from '../hypercall/waiters.ts';
import type { Journal } from '../jbd2/journal.ts';
import { type Departure, Departures } from '../vnode/departures.ts';
import { INCOMPATIBLE_FEATURE, READ_ONLY_FEATURE } from './features.ts';
import { fileBytesMax, SMALL_FILE_BYTES_MAX } from './file-size.ts';
import { Groups } from './groups.ts';
import type { Inode } from './inode.ts';
import { PendingFrees } from './pending-frees.ts';
import { Summary } from './summary.ts';
import { STATE_FLAG, type Superblock } from './superblock.ts';

const CORRUPTION_LINES_MAX = 16;
/**
 * The budget has room for one departed node for this many bytes. When more wait for their end,
 * callers that add to them wait.
 */
const BYTES_PER_DEPARTURE = 4096;
const DEPARTURES_MIN = 64;
/**
 * The part of the budget that the bitmaps of freed blocks may take before a sync is made for them.
 */
const PENDING_PART = 16;
const PENDING_BITMAPS_MIN = 8;
/**
 * The number of times that an operation which finds no block or inode waits for freed ones and is
 * tried again: others may be faster each time.
 */
const RECLAIMS_MAX = 4;

/** A journal in use, and the gate through which operations enter its transactions. */
export interface Journalling {
  readonly journal: Journal;
  readonly gate: ChangeGate;
}

/**
 * The state that every part of a mounted file system works with: the sizes, the groups, the
 * buffers, and the state of the whole.
 */
export class Volume {
  readonly hypercalls: Hypercalls;
  readonly superblock: Superblock;
  readonly groups: Groups;
  readonly cache: BufferCache;
  readonly frees: PendingFrees;
  readonly departures = new Departures<Inode>();
  readonly writeable: boolean;
  readonly blockSizeBytes: number;
  readonly pointersPerBlock: number;
  /** Whether a directory entry has a byte for the type of its node. */
  readonly entriesHaveTypes: boolean;
  readonly journalling: Journalling | undefined;
  readonly #summary: Summary;
  readonly #stateAtMount: number;
  #modified = false;
  #modifying: Promise<void> | undefined = undefined;
  #corruptions = 0;
  readonly #oneSync = new Mutex(WAITERS);
  readonly #departuresMax: number;
  readonly #pendingBitmapsMax: number;
  #depart: ((departure: Departure<Inode>) => Promise<void>) | undefined = undefined;

  constructor(
    hypercalls: Hypercalls,
    superblock: Superblock,
    cache: BufferCache,
    parts: { readonly writeable: boolean; readonly journalling?: Journalling | undefined },
  ) {
    this.hypercalls = hypercalls;
    this.superblock = superblock;
    this.groups = new Groups(superblock);
    this.cache = cache;
    this.frees = new PendingFrees(superblock.blocksPerGroup);
    const { memoryBytes } = hypercalls;
    this.#departuresMax = Math.max(DEPARTURES_MIN, Math.floor(memoryBytes / BYTES_PER_DEPARTURE));
    this.#pendingBitmapsMax = Math.max(
      PENDING_BITMAPS_MIN,
      Math.floor((memoryBytes / PENDING_PART / superblock.blocksPerGroup) * 8),
    );
    this.writeable = parts.writeable;
    this.journalling = parts.journalling;
    this.entriesHaveTypes = superblock.has(INCOMPATIBLE_FEATURE.fileType);
    this.blockSizeBytes = superblock.blockSizeBytes;
    this.pointersPerBlock = superblock.blockSizeBytes / 4;
    this.#stateAtMount = superblock.state;
    this.#summary = new Summary(this);
  }

  /** Reads the group descriptors. */
  async load(): Promise<void> {
    await this.#summary.load();
    this.groups.decode();
    this.cache.own = this.#summary;
    this.cache.log = this.journalling?.journal;
  }

  /**
   * The error for a structure that contradicts the format; the file system is marked as having
   * errors.
   */
  corrupt(what: string): FsError {
    this.#corruptions += 1;
    const message = `${this.superblock.formatName}: ${what}`;
    if (this.#corruptions <= CORRUPTION_LINES_MAX) this.hypercalls.console(message);
    return new FsError('Corrupt', message);
  }

  /**
   * Carries out an operation that modifies the file system: all of what it changes becomes durable
   * together, where there is a journal. Before that it marks the device's file system as not clean
   * the first time, and holds the caller back while too much waits to be written. Where it finds no
   * block or inode, and some were freed just now, it is done again when they can be used.
   */
  async change<Result>(action: () => Promise<Result>): Promise<Result> {
    for (let reclaims = 0; ; reclaims += 1) {
      const waiting = this.#begin();
      if (waiting !== undefined) await waiting;
      if (this.journalling === undefined) return action();
      const { gate } = this.journalling;
      if (!gate.tryEnter()) await gate.enter();
      try {
        return await action();
      } catch (error) {
        const full = error instanceof FsError && error.code === 'NoSpace';
        if (!full || reclaims >= RECLAIMS_MAX || !this.frees.any) throw error;
      } finally {
        gate.leave();
      }
      await this.sync();
    }
  }

  /**
   * To be awaited within a long operation, where all that it has changed so far may become durable
   * without the rest.
   */
  breath(): Promise<void> | undefined {
    const gate = this.journalling?.gate;
    if (gate?.wanted !== true) return undefined;
    gate.leave();
    return gate.enter();
  }

  /** Whether a long operation should end for now, because a commit of the journal waits for it. */
  get shouldPause(): boolean {
    return this.journalling?.gate.wanted === true;
  }

  /**
   * Writes the first contents of a block that nothing leads to yet: with a journal into the cache
   * only, since they become durable with what leads to them. `seal` is as for `markDirty`.
   */
  async writeFirst(
    block: number,
    contents: Uint8Array,
    verifiedAs = 0,
    seal?: (bytes: Uint8Array) => void,
  ): Promise<void> {
    const { cache } = this;
    if (!this.journalled) {
      await cache.direct.writeFirst(block, contents);
      const written = cache.peek(block);
      if (written !== undefined) written.verifiedAs = verifiedAs;
      return;
    }
    const buffer = cache.tryFresh(block) ?? (await cache.fresh(block));
    buffer.bytes.set(contents);
    buffer.verifiedAs = verifiedAs;
    cache.markDirty(buffer, block, 'structure', seal);
  }

  /** The sectors that a block takes which is allocated alone: with bigalloc those of a cluster. */
  get clusterSectors(): number {
    return (this.blockSizeBytes / 512) * this.superblock.clusterBlocks;
  }

  /** Whether a journal keeps the changes of an operation together. */
  get journalled(): boolean {
    return this.journalling !== undefined;
  }

  /** Throws `Corrupt` unless `count` blocks from `first` on can belong to a file. */
  requireFileBlocks(first: number, count: number, owner: string): void {
    const { zones } = this.groups;
    if (!zones.inside(first, count)) {
      const { blocksCount } = this.superblock;
      throw this.corrupt(`${owner}: block pointer ${first} beyond the device's ${blocksCount} blocks`);
    }
    if (zones.touch(first, count)) {
      const group = this.groups.groupOf(first);
      throw this.corrupt(`${owner}: block pointer ${first} into the structures of group ${group}`);
    }
  }

  /** Makes sure that a file may have that size. Throws `FileTooLarge`. */
  requireSize(inode: Inode, sizeBytes: number): void {
    const most = fileBytesMax(this.superblock, inode.hasExtents);
    if (sizeBytes > most) throw new FsError('FileTooLarge', `a file here has at most ${most} bytes`);
    if (sizeBytes <= SMALL_FILE_BYTES_MAX) return;
    this.superblock.readOnlyCompatible |= READ_ONLY_FEATURE.largeFile;
  }

  /** Sets the function that handles a node once its names are durably gone. */
  onDeparture(depart: (departure: Departure<Inode>) => Promise<void>): void {
    this.#depart = depart;
  }

  /**
   * Resolves when everything that was acknowledged is durable. Blocks that were freed before may be
   * used again then.
   */
  async sync(): Promise<void> {
    if (!this.#modified) return;
    await this.#oneSync.acquire();
    try {
      const departures = this.departures.all();
      await this.#syncOnce();
      if (departures.length === 0) return;
      for (const departure of departures) {
        this.departures.remove(departure);
        await this.#depart?.(departure);
      }
      await this.#syncOnce();
    } finally {
      this.#oneSync.release();
    }
  }

  /**
   * Makes freed blocks and inodes usable, by a sync, for callers that find no space. False if there
   * are none, or if the caller's own operation would have to end first.
   */
  async reclaim(): Promise<boolean> {
    if (this.journalled || (this.departures.size === 0 && !this.frees.any)) return false;
    await this.sync();
    return true;
  }

  /** Leaves the file system as clean as it was found, or with errors if some were met. */
  async unmount(): Promise<void> {
    if (!this.#modified) return;
    await this.sync();
    await this.journalling?.journal.finish();
    if (this.journalled) {
      // From here on nothing goes through the journal: it is empty and stays so.
      this.cache.log = undefined;
      this.superblock.needsRecovery = false;
    }
    this.superblock.state = this.#stateAtMount | (this.#corruptions > 0 ? STATE_FLAG.errors : 0);
    await this.cache.flushDurably();
  }

  /** Whether contradictions to the format were met. */
  get damaged(): boolean {
    return this.#corruptions > 0;
  }

  #begin(): Promise<void> | undefined {
    if (this.#modified) {
      if (this.#tooMuchPending) return this.sync();
      return this.cache.throttle();
    }
    this.#modifying ??= this.#markModified();
    return this.#modifying;
  }

  get #tooMuchPending(): boolean {
    return this.departures.size > this.#departuresMax || this.frees.bitmaps > this.#pendingBitmapsMax;
  }

  async #syncOnce(): Promise<void> {
    if (!this.journalled) this.frees.take();
    await this.#summary.stamp();
    await this.cache.flushDurably();
    if (!this.journalled) this.frees.release();
  }

  async #markModified(): Promise<void> {
    try {
      if (this.journalled) this.superblock.needsRecovery = true;
      else this.superblock.state = this.#stateAtMount & ~STATE_FLAG.valid;
      this.superblock.countMount(await this.hypercalls.now());
      await this.#summary.stamp();
      // The mark itself must not be in the journal, which it leads to.
      this.cache.log = undefined;
      await this.cache.flushDurably();
      this.#modified = true;
    } finally {
      this.cache.log = this.journalling?.journal;
      this.#modifying = undefined;
    }
  }
}
