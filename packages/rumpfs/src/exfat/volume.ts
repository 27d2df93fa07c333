import { Mutex } from '@ginit/core/async';
import type { BufferCache } from '../buffer/buffer-cache.ts';
import { FsError, messageOf } from '../errors.ts';
import { type Departure, Departures } from '../fat/departures.ts';
import { blockOfCluster, FIRST_CLUSTER, type Layout } from '../fat/layout.ts';
import type { TimeZone } from '../fat/time-zone.ts';
import type { Hypercalls } from '../hypercall/hypercalls.ts';
import { WAITERS } from '../hypercall/waiters.ts';
import type { IndexStore } from '../index/index-store.ts';
import { type AllocationBitmap, BITMAP_MISSING } from './allocation-bitmap.ts';
import type { Geometry } from './boot-region.ts';
import { FAT_END, FAT_MISSING, type FatTable } from './fat-table.ts';
import { UpcaseTable } from './upcase-table.ts';
import type { VolumeFlags } from './volume-flags.ts';

const CORRUPTION_LINES_MAX = 16;
/**
 * The budget has room for one departed chain for this many bytes; when more wait, callers do too.
 */
const BYTES_PER_DEPARTURE = 4096;
const DEPARTURES_MIN = 64;
/** So many blocks of departed clusters are given up in one turn. */
const BLOCKS_PER_TURN = 16_384;
const PLAIN = UpcaseTable.plain();

/** The parts that a volume is made of. */
export interface VolumeParts {
  readonly hypercalls: Hypercalls;
  readonly geometry: Geometry;
  readonly layout: Layout;
  readonly cache: BufferCache;
  readonly fat: FatTable;
  readonly indexes: IndexStore;
  readonly zone: TimeZone;
  readonly flags: VolumeFlags;
}

/** What the root directory says of the volume. */
export interface VolumeStructures {
  readonly bitmap: AllocationBitmap;
  readonly upcase: UpcaseTable;
  /** Why the volume is not written to; undefined if it may be. */
  readonly obstacle: string | undefined;
}

/** The state that every part of a mounted exFAT works with. */
export class Volume {
  readonly hypercalls: Hypercalls;
  readonly geometry: Geometry;
  readonly layout: Layout;
  readonly cache: BufferCache;
  readonly fat: FatTable;
  readonly indexes: IndexStore;
  readonly zone: TimeZone;
  readonly departures = new Departures();
  writeable = false;
  freeClusters = 0;
  /** Where the search for free clusters goes on. */
  nextFree = FIRST_CLUSTER;
  /**
   * How often it was begun to make everything durable, and the last time of these that has ended.
   */
  flushes = 0;
  #durableFlush = 0;
  readonly #flags: VolumeFlags;
  readonly #departuresMax: number;
  readonly #oneSync = new Mutex(WAITERS);
  readonly #told = new Set<string>();
  #structures: VolumeStructures | undefined = undefined;
  #modified = false;
  #modifying: Promise<void> | undefined = undefined;
  #wasClean = true;
  #damaged = false;

  constructor(parts: VolumeParts) {
    this.hypercalls = parts.hypercalls;
    this.geometry = parts.geometry;
    this.layout = parts.layout;
    this.cache = parts.cache;
    this.fat = parts.fat;
    this.indexes = parts.indexes;
    this.zone = parts.zone;
    this.#flags = parts.flags;
    this.#departuresMax = Math.max(
      DEPARTURES_MIN,
      Math.floor(parts.hypercalls.memoryBytes / BYTES_PER_DEPARTURE),
    );
  }

  /** Takes the structures over, counts the free clusters, and says how the volume was left. */
  async begun(structures: VolumeStructures, wanted: boolean): Promise<void> {
    this.#structures = structures;
    this.#wasClean = !this.#flags.dirty;
    const { hypercalls } = this;
    if (!this.#wasClean)
      hypercalls.console('exfat: was not unmounted cleanly, a file system check is recommended');
    if (this.#flags.mediaFailed) hypercalls.console('exfat: the medium is marked as one that has failed');
    await this.#countFree();
    const obstacle = hypercalls.bio.writeable ? structures.obstacle : 'the device is';
    if (wanted && obstacle !== undefined) hypercalls.console(`exfat: mounted read-only because ${obstacle}`);
    this.writeable = wanted && obstacle === undefined;
  }

  get bitmap(): AllocationBitmap {
    if (this.#structures === undefined) throw new Error('rumpfs: broken invariant: the volume has begun');
    return this.#structures.bitmap;
  }

  /** Before the volume has its own table: the letters A to Z. */
  get upcase(): UpcaseTable {
    return this.#structures?.upcase ?? PLAIN;
  }

  /** Reads the part of the FAT that was missing. Rejects with `InputOutput`. */
  readFat(): Promise<void> {
    return this.fat.readMissing();
  }

  /** Reads the part of the bitmap that was missing. Rejects with `InputOutput`. */
  readBitmap(): Promise<void> {
    return this.bitmap.readMissing();
  }

  /** Changes an entry of the FAT. Rejects with `InputOutput`. */
  async setFat(cluster: number, next: number): Promise<void> {
    while (!this.fat.trySet(cluster, next)) {
      const held = this.cache.throttle();
      if (held !== undefined) await held;
      await this.readFat();
    }
  }

  /**
   * The error for a structure that contradicts the format; the volume stays marked as not clean.
   */
  corrupt(what: string): FsError {
    this.damaged(what);
    return new FsError('Corrupt', `exfat: ${what}`);
  }

  /** Says that something contradicts the format, which is left alone. */
  damaged(what: string): void {
    this.#damaged = true;
    if (this.#told.has(what) || this.#told.size >= CORRUPTION_LINES_MAX) return;
    this.#told.add(what);
    this.hypercalls.console(`exfat: ${what}`);
  }

  /** Throws `Corrupt` if there is no such cluster. */
  requireCluster(cluster: number, owner: string): void {
    if (cluster >= FIRST_CLUSTER && cluster < this.fat.end) return;
    throw this.corrupt(`${owner}: cluster ${cluster} is none of the ${this.geometry.clusterCount} clusters`);
  }

  /** The number of clusters for so many bytes. */
  clustersFor(bytes: number): number {
    return Math.ceil(bytes / this.geometry.clusterBytes);
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

  /** Gives up clusters that nothing leads to any more. */
  depart(departure: Departure): void {
    if (departure.first !== 0 && departure.clusters > 0) this.departures.add(departure);
  }

  /** Makes departed clusters usable, by a sync. False if there are none. */
  async reclaim(): Promise<boolean> {
    if (this.departures.clusters === 0) return false;
    await this.sync();
    return true;
  }

  /** Resolves when everything that was acknowledged is durable. */
  async sync(): Promise<void> {
    if (!this.#modified) return;
    await this.#oneSync.acquire();
    try {
      const leaving = this.departures.take();
      try {
        await this.flush();
      } catch (error) {
        for (const departure of leaving) {
          this.departures.freed(departure);
          this.departures.add(departure);
        }
        throw error;
      }
      if (leaving.length === 0) return;
      for (const departure of leaving) await this.#free(departure);
      await this.flush();
    } finally {
      this.#oneSync.release();
    }
  }

  /** Makes everything durable that is dirty, and frees nothing. */
  async flush(): Promise<void> {
    this.flushes += 1;
    const mine = this.flushes;
    await this.cache.flushDurably();
    this.#durableFlush = Math.max(this.#durableFlush, mine);
  }

  /** Whether what was changed when there had been so many flushes is durable. */
  isDurable(flushes: number): boolean {
    return this.#durableFlush > flushes;
  }

  /** Leaves the volume as clean as it was found, or marked if something was wrong with it. */
  async unmount(): Promise<void> {
    if (!this.#modified) return;
    await this.sync();
    const { clusterCount } = this.geometry;
    await this.#flags.setPercentInUse(Math.floor(((clusterCount - this.freeClusters) * 100) / clusterCount));
    if (this.#wasClean && !this.#damaged) await this.#flags.setDirty(false);
    await this.cache.barrier();
  }

  async #countFree(): Promise<void> {
    const bytes = Math.ceil(this.geometry.clusterCount / 8);
    for (let byte = 0; byte < bytes; ) {
      const { free, nextByte } = this.bitmap.countFree(byte);
      if (free === BITMAP_MISSING) {
        await this.readBitmap();
        continue;
      }
      this.freeClusters += free;
      byte = nextByte;
    }
  }

  async #markModified(): Promise<void> {
    try {
      await this.#flags.setDirty(true);
      await this.cache.barrier();
      this.#modified = true;
    } finally {
      this.#modifying = undefined;
    }
  }

  async #free(departure: Departure): Promise<void> {
    try {
      if (departure.contiguous === true) await this.#freeRange(departure.first, departure.clusters);
      else await this.#freeChain(departure.first);
    } catch (error) {
      this.hypercalls.console(
        `exfat: clusters from ${departure.first} on cannot be freed: ${messageOf(error)}`,
      );
    } finally {
      this.departures.freed(departure);
    }
  }

  async #freeRange(first: number, count: number): Promise<void> {
    this.requireCluster(first, 'a file that was removed');
    this.requireCluster(first + count - 1, 'a file that was removed');
    for (let cluster = first; cluster < first + count; cluster += 1) await this.#freeOne(cluster);
  }

  /** Frees a chain. One that leads to a cluster that is free already ends there, so circles end. */
  async #freeChain(first: number): Promise<void> {
    for (let cluster = first; ; ) {
      this.requireCluster(cluster, 'a file that was removed');
      const next = this.fat.get(cluster);
      if (next === FAT_MISSING) {
        await this.readFat();
        continue;
      }
      await this.#freeOne(cluster);
      if (next === FAT_END) return;
      cluster = next;
    }
  }

  #blocksFreed = 0;

  async #freeOne(cluster: number): Promise<void> {
    const { layout, cache, bitmap } = this;
    for (let said = bitmap.get(cluster); said !== 1; said = bitmap.get(cluster)) {
      if (said === 0) throw this.corrupt(`cluster ${cluster} is freed but not in use`);
      await this.readBitmap();
    }
    bitmap.trySet(cluster, false);
    this.freeClusters += 1;
    const block = blockOfCluster(layout, cluster);
    for (let index = 0; index < layout.blocksPerCluster; index += 1) cache.forget(block + index);
    this.#blocksFreed += layout.blocksPerCluster;
    if (this.#blocksFreed < BLOCKS_PER_TURN) return;
    this.#blocksFreed = 0;
    await (cache.throttle() ?? this.hypercalls.now());
  }
}
