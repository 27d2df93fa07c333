import { Mutex } from '@ginit/core/async';
import type { BufferCache } from '../buffer/buffer-cache.ts';
import { FsError, messageOf } from '../errors.ts';
import type { Hypercalls } from '../hypercall/hypercalls.ts';
import { WAITERS } from '../hypercall/waiters.ts';
import type { IndexStore } from '../index/index-store.ts';
import { FIRST_CLUSTER } from '../fat/layout.ts';
import type { Geometry } from './boot-sector.ts';
import { type Departure, Departures } from '../fat/departures.ts';
import { FAT_BAD, FAT_END, FAT_FREE, FAT_MISSING, FatTable } from './fat-table.ts';
import type { FreeClusterSector } from './free-cluster-sector.ts';
import { blockOfCluster, type Layout } from '../fat/layout.ts';
import type { StateByte } from './state-byte.ts';
import type { TimeZone } from '../fat/time-zone.ts';

const CORRUPTION_LINES_MAX = 16;
/**
 * The budget has room for one departed chain for this many bytes; when more wait, callers do too.
 */
const BYTES_PER_DEPARTURE = 4096;
const DEPARTURES_MIN = 64;

/** The parts that a volume is made of. */
export interface VolumeParts {
  readonly hypercalls: Hypercalls;
  readonly geometry: Geometry;
  readonly layout: Layout;
  readonly cache: BufferCache;
  readonly indexes: IndexStore;
  readonly zone: TimeZone;
  readonly state: StateByte;
  readonly freeSector: FreeClusterSector | undefined;
  readonly writeable: boolean;
}

/** The state that every part of a mounted FAT works with. */
export class Volume {
  readonly hypercalls: Hypercalls;
  readonly geometry: Geometry;
  readonly layout: Layout;
  readonly cache: BufferCache;
  readonly indexes: IndexStore;
  readonly zone: TimeZone;
  readonly writeable: boolean;
  readonly fat: FatTable;
  readonly departures = new Departures();
  freeClusters = 0;
  /** Where the search for free clusters goes on. */
  nextFree = FIRST_CLUSTER;
  readonly #state: StateByte;
  readonly #freeSector: FreeClusterSector | undefined;
  readonly #departuresMax: number;
  readonly #oneSync = new Mutex(WAITERS);
  #modified = false;
  #modifying: Promise<void> | undefined = undefined;
  #corruptions = 0;
  #wasClean = true;

  constructor(parts: VolumeParts) {
    this.hypercalls = parts.hypercalls;
    this.geometry = parts.geometry;
    this.layout = parts.layout;
    this.cache = parts.cache;
    this.indexes = parts.indexes;
    this.zone = parts.zone;
    this.writeable = parts.writeable;
    this.fat = new FatTable(parts.geometry, parts.layout, parts.cache);
    this.#state = parts.state;
    this.#freeSector = parts.freeSector;
    this.#departuresMax = Math.max(
      DEPARTURES_MIN,
      Math.floor(parts.hypercalls.memoryBytes / BYTES_PER_DEPARTURE),
    );
  }

  /**
   * Reads what the volume says about its state, and counts free clusters if that cannot be trusted.
   */
  async load(): Promise<void> {
    this.#wasClean = !this.#state.dirty && (await this.fat.isClean());
    if (!this.#wasClean)
      this.hypercalls.console('msdos: was not unmounted cleanly, a file system check is recommended');
    const said = this.#freeSector?.read(this.geometry.clusterCount);
    if (said !== undefined) this.nextFree = said.next;
    if (said?.free !== undefined && this.#wasClean) this.freeClusters = said.free;
    else await this.countFree();
  }

  /** Counts the free clusters in the FAT. */
  async countFree(): Promise<void> {
    let free = 0;
    for (let cluster = FIRST_CLUSTER; cluster < this.fat.end; ) {
      const found = this.fat.findFree(cluster);
      if (found.cluster === FAT_MISSING) {
        await this.readFat();
        continue;
      }
      if (found.cluster > 0) free += 1;
      cluster = found.cluster > 0 ? found.cluster + 1 : found.searchedTo;
    }
    this.freeClusters = free;
  }

  /** Reads the part of the FAT that was missing. Rejects with `InputOutput`. */
  readFat(): Promise<void> {
    return this.fat.readMissing();
  }

  /**
   * The error for a structure that contradicts the format; the volume stays marked as not clean.
   */
  corrupt(what: string): FsError {
    this.#corruptions += 1;
    const message = `msdos: ${what}`;
    if (this.#corruptions <= CORRUPTION_LINES_MAX) this.hypercalls.console(message);
    return new FsError('Corrupt', message);
  }

  /** Throws `Corrupt` if there is no such cluster. */
  requireCluster(cluster: number, owner: string): void {
    if (cluster >= FIRST_CLUSTER && cluster < this.fat.end) return;
    throw this.corrupt(`${owner}: cluster ${cluster} is none of the ${this.geometry.clusterCount} clusters`);
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

  /** Gives up a chain that nothing leads to any more. */
  depart(first: number, clusters: number): void {
    if (first !== 0) this.departures.add({ first, clusters });
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
        await this.#flush();
      } catch (error) {
        for (const departure of leaving) {
          this.departures.freed(departure);
          this.departures.add(departure);
        }
        throw error;
      }
      if (leaving.length === 0) return;
      for (const departure of leaving) await this.#free(departure);
      await this.#flush();
    } finally {
      this.#oneSync.release();
    }
  }

  /** Leaves the volume as clean as it was found, or marked if something was wrong with it. */
  async unmount(): Promise<void> {
    if (!this.#modified) return;
    await this.sync();
    if (!this.#wasClean || this.#corruptions > 0) return;
    await this.fat.setClean(true);
    await this.#flush();
    await this.#state.set(false);
    await this.cache.barrier();
  }

  async #flush(): Promise<void> {
    await this.fat.mirror();
    await this.#freeSector?.write(this.freeClusters, this.nextFree);
    await this.cache.flushDurably();
  }

  async #markModified(): Promise<void> {
    try {
      await this.#state.set(true);
      await this.fat.setClean(false);
      await this.fat.mirror();
      await this.cache.flushDurably();
      this.#modified = true;
    } finally {
      this.#modifying = undefined;
    }
  }

  async #free(departure: Departure): Promise<void> {
    try {
      await this.#freeChain(departure.first);
    } catch (error) {
      this.hypercalls.console(
        `msdos: clusters from ${departure.first} on cannot be freed: ${messageOf(error)}`,
      );
    } finally {
      this.departures.freed(departure);
    }
  }

  /** Frees a chain. One that leads to a cluster that is free already ends there, so circles end. */
  async #freeChain(first: number): Promise<void> {
    const { fat, layout, cache } = this;
    this.requireCluster(first, 'a file that was removed');
    for (let cluster = first; ; ) {
      const next = fat.get(cluster);
      if (next === FAT_MISSING) {
        await this.readFat();
        continue;
      }
      if (next === FAT_FREE) throw this.corrupt(`cluster ${cluster} is freed but not in use`);
      if (!fat.trySet(cluster, FAT_FREE)) {
        await this.readFat();
        continue;
      }
      this.freeClusters += 1;
      const block = blockOfCluster(layout, cluster);
      for (let index = 0; index < layout.blocksPerCluster; index += 1) cache.forget(block + index);
      if (next === FAT_END || next === FAT_BAD) return;
      this.requireCluster(next, `cluster ${cluster}`);
      cluster = next;
      const held = cache.throttle();
      if (held !== undefined) await held;
    }
  }
}
