import { Mutex } from '@ginit/core/async';
import type { BufferCache } from '../buffer/buffer-cache.ts';
import { FsError } from '../errors.ts';
import type { Hypercalls } from '../hypercall/hypercalls.ts';
import { WAITERS } from '../hypercall/waiters.ts';
import { type Departure, Departures } from '../vnode/departures.ts';
import type { Inode } from './inode.ts';
import { writeFirst } from './first-writes.ts';
import { Groups } from './groups.ts';
import { type Journalling, openLog } from './journalling.ts';
import { PendingFrees } from './pending-frees.ts';
import type { Recovered } from './recovery.ts';
import { Summary } from './summary.ts';
import { CLEAN_BEFORE, FLAG, type Superblock } from './superblock.ts';

const CORRUPTION_LINES_MAX = 16;
/** The budget has room for one departed node for this many bytes; with more, callers wait. */
const BYTES_PER_DEPARTURE = 4096;
const DEPARTURES_MIN = 64;
/** The part of the budget that the bitmaps of freed fragments may take before a sync is made. */
const PENDING_PART = 16;
const PENDING_BITMAPS_MIN = 8;
/**
 * The number of times that an operation which finds no space waits for what was freed and is tried
 * again: others may be faster each time.
 */
const RECLAIMS_MAX = 4;

/**
 * The state that every part of a mounted file system works with: the sizes, the groups, the
 * buffers (one a fragment), and the state of the whole.
 */
export class Volume {
  readonly hypercalls: Hypercalls;
  readonly superblock: Superblock;
  readonly groups: Groups;
  readonly cache: BufferCache;
  readonly frees: PendingFrees;
  readonly departures = new Departures<Inode>();
  readonly writeable: boolean;
  /** The log; undefined where changes are made durable by the order of their writes. */
  readonly journalling: Journalling | undefined;
  readonly #summary: Summary;
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
    parts: { readonly writeable: boolean; readonly recovered: Pick<Recovered, 'log' | 'unnamed'> },
  ) {
    this.hypercalls = hypercalls;
    this.superblock = superblock;
    this.cache = cache;
    const { memoryBytes } = hypercalls;
    this.groups = new Groups({ superblock, cache, corrupt: (what) => this.corrupt(what) }, memoryBytes);
    this.frees = new PendingFrees(superblock.fragmentsPerGroup);
    this.#departuresMax = Math.max(DEPARTURES_MIN, Math.floor(memoryBytes / BYTES_PER_DEPARTURE));
    this.#pendingBitmapsMax = Math.max(
      PENDING_BITMAPS_MIN,
      Math.floor((memoryBytes / PENDING_PART / superblock.fragmentsPerGroup) * 8),
    );
    this.writeable = parts.writeable;
    this.journalling = parts.writeable ? openLog(this, parts.recovered) : undefined;
    this.#summary = new Summary(this);
  }

  /** Reads the counts of the groups, and what shares the superblock's fragments. */
  async load(): Promise<void> {
    await this.groups.load();
    await this.#summary.load();
    this.cache.own = this.#summary;
    this.cache.log = this.journalling?.log;
  }

  /** Whether a log keeps the changes of an operation together. */
  get journalled(): boolean {
    return this.journalling !== undefined;
  }

  /** The error for a structure that contradicts the format. */
  corrupt(what: string): FsError {
    this.#corruptions += 1;
    const message = `${this.superblock.formatName}: ${what}`;
    if (this.#corruptions <= CORRUPTION_LINES_MAX) this.hypercalls.console(message);
    return new FsError('Corrupt', message);
  }

  /** Throws `Corrupt` unless `count` fragments from `first` on can belong to a file. */
  requireFragments(first: number, count: number, owner: string): void {
    const { superblock } = this;
    const { fragments, fragmentsPerBlock } = superblock;
    if (!Number.isSafeInteger(first) || first < 0 || first + count > fragments)
      throw this.corrupt(`${owner}: pointer to fragment ${first} beyond the ${fragments} fragments`);
    if ((first % fragmentsPerBlock) + count > fragmentsPerBlock)
      throw this.corrupt(`${owner}: pointer to fragment ${first}, where ${count} cross the end of a block`);
    const group = superblock.groupOf(first);
    const from = superblock.structuresStart(group) + superblock.superblockAt;
    const start = group === 0 ? 0 : from;
    const { summaryAt, summaryFragments } = superblock;
    const touches = (at: number, end: number): boolean => first < end && first + count > at;
    if (touches(start, superblock.dataStart(group)) || touches(summaryAt, summaryAt + summaryFragments))
      throw this.corrupt(`${owner}: pointer to fragment ${first}, a structure of group ${group}`);
  }

  /** `requireFragments` for a whole block. */
  requireBlock(first: number, owner: string): void {
    this.requireFragments(first, this.superblock.fragmentsPerBlock, owner);
  }

  /** Makes sure that a file may have that size. Throws `FileTooLarge`. */
  requireSize(sizeBytes: number): void {
    const most = this.superblock.fileBytesMax;
    if (sizeBytes > most) throw new FsError('FileTooLarge', `a file here has at most ${most} bytes`);
  }

  /**
   * Writes the first contents of fragments that nothing leads to yet: with a log into the cache
   * only, since they become durable with what leads to them.
   */
  async writeFirst(first: number, contents: Uint8Array): Promise<void> {
    const { cache } = this;
    if (!this.journalled) return writeFirst(cache, first, contents);
    const size = cache.blockSizeBytes;
    for (let index = 0; index * size < contents.length; index += 1) {
      const fragment = first + index;
      const buffer = cache.tryFresh(fragment) ?? (await cache.fresh(fragment));
      buffer.bytes.set(contents.subarray(index * size, (index + 1) * size));
      cache.markDirty(buffer, fragment, 'structure');
    }
  }

  /**
   * Carries out an operation that modifies the file system: all of what it changes becomes durable
   * together, where there is a log. Before that it marks the device's file system as not clean the
   * first time, and holds the caller back while too much waits. With a log, an operation that finds
   * no space, where some was freed just now, is done again when that can be used.
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

  /** Sets the function that handles a node once its names are durably gone. */
  onDeparture(depart: (departure: Departure<Inode>) => Promise<void>): void {
    this.#depart = depart;
  }

  /**
   * Resolves when everything that was acknowledged is durable. What was freed before may be used
   * again then.
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
   * Makes what was freed usable, by a sync. False if nothing was, or if the caller's own operation
   * would have to end first.
   */
  async reclaim(): Promise<boolean> {
    if (this.journalled || (this.departures.size === 0 && !this.frees.any)) return false;
    await this.sync();
    return true;
  }

  /**
   * Leaves the file system marked as clean, or as one to check if mistakes were met. What a log has
   * does not count any more.
   */
  async unmount(): Promise<void> {
    if (!this.#modified) return;
    await this.sync();
    await this.journalling?.log.finish();
    // From here on nothing goes through the log: it is empty and stays so.
    this.cache.log = undefined;
    const damaged = this.#corruptions > 0;
    const { superblock } = this;
    superblock.clean = damaged ? 0 : 1;
    const flags = superblock.flags & ~(FLAG.needsCheck | FLAG.log);
    superblock.flags = flags | (damaged ? FLAG.needsCheck : 0);
    this.#summary.mark();
    await this.cache.flushDurably();
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
    return (
      this.departures.size > this.#departuresMax ||
      this.frees.bitmaps > this.#pendingBitmapsMax ||
      this.groups.crowded
    );
  }

  async #syncOnce(): Promise<void> {
    if (!this.journalled) this.frees.take();
    await this.#summary.stamp();
    await this.cache.flushDurably();
    if (!this.journalled) this.frees.release();
  }

  /**
   * Marks the file system as in use. Without a log, soft updates would trust in their order of
   * writes and check in the background only, so a complete check is asked for, too.
   */
  async #markModified(): Promise<void> {
    const { superblock, journalling } = this;
    try {
      if (journalling?.isNew === true) await journalling.log.format();
      superblock.clean = journalling === undefined ? 0 : CLEAN_BEFORE;
      const flags = superblock.flags & ~(FLAG.needsCheck | FLAG.log);
      superblock.flags = flags | (journalling === undefined ? FLAG.needsCheck : FLAG.log);
      this.#summary.mark();
      await this.#summary.stamp();
      // The mark itself must not be in the log, which it leads to.
      this.cache.log = undefined;
      await this.cache.flushDurably();
      this.#modified = true;
    } finally {
      this.cache.log = journalling?.log;
      this.#modifying = undefined;
    }
  }
}
