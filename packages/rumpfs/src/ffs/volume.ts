import { Mutex } from '@ginit/core/async';
import type { BufferCache } from '../buffer/buffer-cache.ts';
import { FsError } from '../errors.ts';
import type { Hypercalls } from '../hypercall/hypercalls.ts';
import { WAITERS } from '../hypercall/waiters.ts';
import { type Departure, Departures } from '../vnode/departures.ts';
import type { Inode } from './inode.ts';
import { writeFirst } from './first-writes.ts';
import { Groups } from './groups.ts';
import { PendingFrees } from './pending-frees.ts';
import { Summary } from './summary.ts';
import { FLAG, type Superblock } from './superblock.ts';

const CORRUPTION_LINES_MAX = 16;
/** The budget has room for one departed node for this many bytes; with more, callers wait. */
const BYTES_PER_DEPARTURE = 4096;
const DEPARTURES_MIN = 64;
/** The part of the budget that the bitmaps of freed fragments may take before a sync is made. */
const PENDING_PART = 16;
const PENDING_BITMAPS_MIN = 8;

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
  readonly #summary: Summary;
  /** The flag of a log that is not used while the file system is written to. */
  readonly #logFlag: number;
  #modified = false;
  #modifying: Promise<void> | undefined = undefined;
  #corruptions = 0;
  readonly #oneSync = new Mutex(WAITERS);
  readonly #departuresMax: number;
  readonly #pendingBitmapsMax: number;
  #depart: ((departure: Departure<Inode>) => Promise<void>) | undefined = undefined;

  constructor(hypercalls: Hypercalls, superblock: Superblock, cache: BufferCache, writeable: boolean) {
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
    this.writeable = writeable;
    this.#logFlag = superblock.logPlace === undefined ? 0 : FLAG.log;
    this.#summary = new Summary(this);
  }

  /** Reads the counts of the groups, and what shares the superblock's fragments. */
  async load(): Promise<void> {
    await this.groups.load();
    await this.#summary.load();
    this.cache.own = this.#summary;
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

  /** Writes the first contents of fragments that nothing leads to yet. */
  writeFirst(first: number, contents: Uint8Array): Promise<void> {
    return writeFirst(this.cache, first, contents);
  }

  /**
   * Carries out an operation that modifies the file system. Before that it marks the device's file
   * system as not clean the first time, and holds the caller back while too much waits.
   */
  async change<Result>(action: () => Promise<Result>): Promise<Result> {
    const waiting = this.#begin();
    if (waiting !== undefined) await waiting;
    return action();
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

  /** Makes what was freed usable, by a sync. False if nothing was. */
  async reclaim(): Promise<boolean> {
    if (this.departures.size === 0 && !this.frees.any) return false;
    await this.sync();
    return true;
  }

  /**
   * Leaves the file system marked as clean, as it was found; or as one to check if mistakes were
   * met.
   */
  async unmount(): Promise<void> {
    if (!this.#modified) return;
    await this.sync();
    const damaged = this.#corruptions > 0;
    const { superblock } = this;
    superblock.clean = damaged ? 0 : 1;
    const flags = superblock.flags & ~FLAG.needsCheck;
    superblock.flags = flags | this.#logFlag | (damaged ? FLAG.needsCheck : 0);
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
    this.frees.take();
    await this.#summary.stamp();
    await this.cache.flushDurably();
    this.frees.release();
  }

  /**
   * Soft updates would trust in their order of writes and check in the background only, so a
   * complete check is asked for, too.
   */
  async #markModified(): Promise<void> {
    try {
      this.superblock.clean = 0;
      // The writes that follow do not go through the log, which is empty.
      this.superblock.flags = (this.superblock.flags | FLAG.needsCheck) & ~this.#logFlag;
      this.#summary.mark();
      await this.#summary.stamp();
      await this.cache.flushDurably();
      this.#modified = true;
    } finally {
      this.#modifying = undefined;
    }
  }
}
