import { Mutex } from '@ginit/core/async';
import type { BufferCache } from '../buffer/buffer-cache.ts';
import { FsError, messageOf } from '../errors.ts';
import type { Hypercalls } from '../hypercall/hypercalls.ts';
import { WAITERS } from '../hypercall/waiters.ts';
import type { IndexStore } from '../index/index-store.ts';
import type { ClusterRun } from './cluster-run.ts';
import { type Departure, Departures } from './departures.ts';
import type { ChainVolume } from './followed-chain.ts';
import type { FreeMap } from './free-map.ts';
import { FIRST_CLUSTER, type Layout } from './layout.ts';
import type { TimeZone } from './time-zone.ts';

const CORRUPTION_LINES_MAX = 16;
/**
 * The budget has room for one departed chain for this many bytes; when more wait, callers do too.
 */
const BYTES_PER_DEPARTURE = 4096;
const DEPARTURES_MIN = 64;

/** What every volume of clusters is made of. */
export interface ClusterVolumeParts {
  readonly hypercalls: Hypercalls;
  readonly geometry: { readonly clusterCount: number; readonly clusterBytes: number };
  readonly layout: Layout;
  readonly cache: BufferCache;
  readonly indexes: IndexStore;
  readonly zone: TimeZone;
}

/** A mounted volume of clusters: what FAT and exFAT do alike with space, and to be durable. */
export abstract class ClusterVolume implements ChainVolume {
  readonly hypercalls: Hypercalls;
  readonly layout: Layout;
  readonly cache: BufferCache;
  readonly indexes: IndexStore;
  readonly zone: TimeZone;
  readonly departures = new Departures();
  /** The name of the format in messages. */
  readonly #type: string;
  readonly clusterBytes: number;
  readonly clusterCount: number;
  /** One more than the number of the last cluster. */
  readonly clusterEnd: number;
  freeClusters = 0;
  /** Where the search for free clusters goes on. */
  nextFree = FIRST_CLUSTER;
  readonly #departuresMax: number;
  readonly #oneSync = new Mutex(WAITERS);
  readonly #told = new Set<string>();
  /**
   * How often it was begun to make everything durable, and the last time of these that has ended.
   */
  #flushes = 0;
  #durableFlush = 0;
  #modified = false;
  #modifying: Promise<void> | undefined = undefined;
  #damaged = false;

  constructor(type: string, parts: ClusterVolumeParts) {
    this.#type = type;
    this.hypercalls = parts.hypercalls;
    this.layout = parts.layout;
    this.cache = parts.cache;
    this.indexes = parts.indexes;
    this.zone = parts.zone;
    this.clusterBytes = parts.geometry.clusterBytes;
    this.clusterCount = parts.geometry.clusterCount;
    this.clusterEnd = this.clusterCount + FIRST_CLUSTER;
    this.#departuresMax = Math.max(
      DEPARTURES_MIN,
      Math.floor(parts.hypercalls.memoryBytes / BYTES_PER_DEPARTURE),
    );
  }

  abstract get fat(): ChainVolume['fat'];
  protected abstract get free(): FreeMap;
  /** Reads the part of the FAT that was missing. Rejects with `InputOutput`. */
  abstract readFat(): Promise<void>;
  /** Makes everything durable that is dirty. */
  protected abstract flushAll(): Promise<void>;
  /** Says on the device, durably, that the volume is in use. */
  protected abstract markInUse(): Promise<void>;
  /** Brings what the volume says of itself up to date; a flush follows. */
  protected abstract noteFree(): Promise<void>;
  /** Frees clusters to which nothing leads any more on the device either. */
  protected abstract release(departure: Departure): Promise<void>;

  /** Whether anything was changed since the mount. */
  get modified(): boolean {
    return this.#modified;
  }

  /** Whether something was found that contradicts the format. */
  get isDamaged(): boolean {
    return this.#damaged;
  }

  /**
   * The error for a structure that contradicts the format; the volume stays marked as not clean.
   */
  corrupt(what: string): FsError {
    this.damaged(what);
    return new FsError('Corrupt', `${this.#type}: ${what}`);
  }

  /** Says that something contradicts the format, which is left alone. */
  damaged(what: string): void {
    this.#damaged = true;
    if (this.#told.has(what) || this.#told.size >= CORRUPTION_LINES_MAX) return;
    this.#told.add(what);
    this.hypercalls.console(`${this.#type}: ${what}`);
  }

  /** Throws `Corrupt` if there is no such cluster. */
  requireCluster(cluster: number, owner: string): void {
    if (cluster >= FIRST_CLUSTER && cluster < this.clusterEnd) return;
    throw this.corrupt(`${owner}: cluster ${cluster} is none of the ${this.clusterCount} clusters`);
  }

  /** The number of clusters for so many bytes. */
  clustersFor(bytes: number): number {
    return Math.ceil(bytes / this.clusterBytes);
  }

  /**
   * To be awaited before every modification: marks the volume as in use the first time, and holds
   * the caller back while too much waits to be written.
   */
  begin(): Promise<void> | undefined {
    if (this.#modified)
      return this.departures.size > this.#departuresMax ? this.sync() : this.cache.throttle();
    this.#modifying ??= this.#markModified();
    return this.#modifying;
  }

  /**
   * Takes free clusters side by side, at most `countMax`, at `goal` if that is free (0: anywhere).
   * Nothing leads to them yet. Rejects with `NoSpace`.
   */
  async allocate(goal: number, countMax: number, run: ClusterRun): Promise<void> {
    const start = goal >= FIRST_CLUSTER && goal < this.clusterEnd ? goal : this.nextFree;
    for (;;) {
      if (await this.#search(start, this.clusterEnd, countMax, run)) return;
      if (await this.#search(FIRST_CLUSTER, start, countMax, run)) return;
      this.freeClusters = 0;
      if (!(await this.#reclaim())) throw new FsError('NoSpace', 'no free cluster is left');
    }
  }

  /** Gives up clusters that nothing leads to any more. */
  depart(departure: Departure): void {
    if (departure.first !== 0 && departure.clusters > 0) this.departures.add(departure);
  }

  /** Gives up clusters that were taken, and that nothing has ever led to. */
  giveUp({ cluster, count }: ClusterRun): void {
    this.depart({ first: cluster, clusters: count, contiguous: true });
  }

  /** Resolves when everything that was acknowledged is durable. */
  async sync(): Promise<void> {
    if (!this.#modified) return;
    await this.#oneSync.acquire();
    try {
      const leaving = this.departures.take();
      try {
        await this.#flush();
      } catch (error) {
        for (const departure of leaving) {
          this.departures.freed(departure);
          this.departures.add(departure);
        }
        throw error;
      }
      if (leaving.length === 0) return;
      for (const departure of leaving) await this.#release(departure);
      await this.#flush();
    } finally {
      this.#oneSync.release();
    }
  }

  /** Makes everything durable that is dirty, and frees nothing. */
  async flush(): Promise<void> {
    this.#flushes += 1;
    const mine = this.#flushes;
    await this.flushAll();
    this.#durableFlush = Math.max(this.#durableFlush, mine);
  }

  /** How often it was begun to make everything durable. */
  get flushes(): number {
    return this.#flushes;
  }

  /** Whether what was changed when there had been so many flushes is durable. */
  isDurable(flushes: number): boolean {
    return this.#durableFlush > flushes;
  }

  async #flush(): Promise<void> {
    await this.noteFree();
    await this.flush();
  }

  async #markModified(): Promise<void> {
    try {
      await this.markInUse();
      this.#modified = true;
    } finally {
      this.#modifying = undefined;
    }
  }

  /** Makes departed clusters usable, by a sync. False if there are none. */
  async #reclaim(): Promise<boolean> {
    if (this.departures.clusters === 0) return false;
    await this.sync();
    return true;
  }

  async #search(from: number, end: number, countMax: number, run: ClusterRun): Promise<boolean> {
    const { free } = this;
    for (let cluster = from; cluster < end; ) {
      const found = free.findFree(cluster);
      if (found.cluster < 0) {
        await free.readMissing();
      } else if (found.cluster > 0) {
        if (found.cluster >= end) return false;
        const count = free.take(found.cluster, countMax);
        run.cluster = found.cluster;
        run.count = count;
        const behind = found.cluster + count;
        this.freeClusters -= count;
        this.nextFree = behind < this.clusterEnd ? behind : FIRST_CLUSTER;
        if (count > 0) return true;
        await free.readMissing();
      } else {
        cluster = found.searchedTo;
      }
    }
    return false;
  }

  async #release(departure: Departure): Promise<void> {
    try {
      await this.release(departure);
    } catch (error) {
      this.hypercalls.console(
        `${this.#type}: clusters from ${departure.first} on cannot be freed: ${messageOf(error)}`,
      );
    } finally {
      this.departures.freed(departure);
    }
  }
}
