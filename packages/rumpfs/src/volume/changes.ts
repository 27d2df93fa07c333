import { Mutex } from '@ginit/core/async';
import type { BufferCache } from '../buffer/buffer-cache.ts';
import type { ChangeGate } from '../buffer/change-gate.ts';
import type { MetadataLog } from '../buffer/metadata-log.ts';
import { FsError } from '../errors.ts';
import { WAITERS } from '../hypercall/waiters.ts';
import type { Departure, Departures, Leaver } from './departures.ts';
import type { RecentNames } from './recent-names.ts';

/** The budget has room for one departed node for this many bytes; with more, callers wait. */
const BYTES_PER_DEPARTURE = 4096;
const DEPARTURES_MIN = 64;
/** The part of the budget that the bitmaps of what was freed may take before a sync is made. */
const PENDING_PART = 16;
const PENDING_BITMAPS_MIN = 8;
/**
 * The number of times that an operation which finds no space waits for what was freed and is tried
 * again: others may be faster each time.
 */
const RECLAIMS_MAX = 4;

/** What was freed, but not durably yet. */
interface PendingFrees {
  readonly any: boolean;
  /** The number of bitmaps, one for each group with something freed. */
  readonly bitmaps: number;
  take(): void;
  release(): void;
}

/** The log of a format that has one, and the gate by which operations enter its transactions. */
export interface ChangeLog {
  readonly gate: ChangeGate;
  readonly log: MetadataLog;
}

/** What the changes of one mounted file system work with. */
export interface ChangeParts<Inode extends Leaver> {
  readonly memoryBytes: number;
  /** The blocks or fragments of a group, of which one bitmap of pending frees has each a bit. */
  readonly unitsPerGroup: number;
  readonly cache: BufferCache;
  readonly frees: PendingFrees;
  readonly departures: Departures<Inode>;
  readonly recentNames: RecentNames;
  readonly journalling: ChangeLog | undefined;
  /** Sets the time that the format's own structures get with the next pass. */
  stamp(): Promise<void>;
  /** Marks the file system as in use, in memory; it is written before anything else is. */
  markInUse(): Promise<void>;
  /** Whether the format has more in memory than should wait. */
  crowded(): boolean;
}

/**
 * How the operations that modify a file system of a format with inodes and groups begin, wait for
 * one another, and become durable: with a log in whole transactions, else in the order in which
 * write-back writes.
 */
export class Changes<Inode extends Leaver> {
  readonly #parts: ChangeParts<Inode>;
  readonly #oneSync = new Mutex(WAITERS);
  readonly #departuresMax: number;
  readonly #pendingBitmapsMax: number;
  #any = false;
  #marking: Promise<void> | undefined = undefined;
  #depart: ((departure: Departure<Inode>) => Promise<void>) | undefined = undefined;

  constructor(parts: ChangeParts<Inode>) {
    this.#parts = parts;
    const { memoryBytes, unitsPerGroup } = parts;
    this.#departuresMax = Math.max(DEPARTURES_MIN, Math.floor(memoryBytes / BYTES_PER_DEPARTURE));
    this.#pendingBitmapsMax = Math.max(
      PENDING_BITMAPS_MIN,
      Math.floor((memoryBytes / PENDING_PART / unitsPerGroup) * 8),
    );
  }

  /** Whether there was a change, so that the device has the file system as in use. */
  get any(): boolean {
    return this.#any;
  }

  /** Sets the function that handles a node once its names are durably gone. */
  onDeparture(depart: (departure: Departure<Inode>) => Promise<void>): void {
    this.#depart = depart;
  }

  /**
   * Carries out an operation that modifies the file system: all of what it changes becomes durable
   * together, where there is a log. Before that it marks the device's file system as in use the
   * first time, and holds the caller back while too much waits. With a log, an operation that finds
   * no space, where some was freed just now, is done again when that can be used.
   */
  async carryOut<Result>(action: () => Promise<Result>): Promise<Result> {
    const { journalling, frees } = this.#parts;
    for (let reclaims = 0; ; reclaims += 1) {
      const waiting = this.#begin();
      if (waiting !== undefined) await waiting;
      if (journalling === undefined) return action();
      const { gate } = journalling;
      if (!gate.tryEnter()) await gate.enter();
      try {
        return await action();
      } catch (error) {
        const full = error instanceof FsError && error.code === 'NoSpace';
        if (!full || reclaims >= RECLAIMS_MAX || !frees.any) throw error;
      } finally {
        gate.leave();
      }
      await this.sync();
    }
  }

  /**
   * Resolves when everything that was acknowledged is durable. What was freed before may be used
   * again then.
   */
  async sync(): Promise<void> {
    if (!this.#any) return;
    await this.#oneSync.acquire();
    try {
      const departures = this.#parts.departures.all();
      await this.#syncOnce();
      if (departures.length === 0) return;
      for (const departure of departures) {
        this.#parts.departures.remove(departure);
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
    const { journalling, departures, frees } = this.#parts;
    if (journalling !== undefined || (departures.size === 0 && !frees.any)) return false;
    await this.sync();
    return true;
  }

  #begin(): Promise<void> | undefined {
    if (this.#any) {
      if (this.#tooMuchPending) return this.sync();
      return this.#parts.cache.throttle();
    }
    this.#marking ??= this.#mark();
    return this.#marking;
  }

  get #tooMuchPending(): boolean {
    const { departures, frees } = this.#parts;
    return (
      departures.size > this.#departuresMax ||
      frees.bitmaps > this.#pendingBitmapsMax ||
      this.#parts.crowded()
    );
  }

  async #syncOnce(): Promise<void> {
    const { journalling, frees, cache } = this.#parts;
    if (journalling === undefined) frees.take();
    await this.#parts.stamp();
    await this.#parts.recentNames.settle(() => cache.flushDurably());
    if (journalling === undefined) frees.release();
  }

  async #mark(): Promise<void> {
    const { cache, journalling } = this.#parts;
    try {
      await this.#parts.markInUse();
      await this.#parts.stamp();
      // The mark itself must not be in the log, which it leads to.
      cache.log = undefined;
      await cache.flushDurably();
      this.#any = true;
    } finally {
      cache.log = journalling?.log;
      this.#marking = undefined;
    }
  }
}
