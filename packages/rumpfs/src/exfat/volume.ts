import { ClusterVolume, type ClusterVolumeParts } from '../fat/cluster-volume.ts';
import type { Departure } from '../fat/departures.ts';
import { FAT_END, FAT_MISSING } from '../fat/fat-entry.ts';
import type { FreeMap } from '../fat/free-map.ts';
import { blockOfCluster } from '../fat/layout.ts';
import { type AllocationBitmap, BITMAP_MISSING } from './allocation-bitmap.ts';
import type { Geometry } from './boot-region.ts';
import type { FatTable } from './fat-table.ts';
import { UpcaseTable } from './upcase-table.ts';
import type { VolumeFlags } from './volume-flags.ts';

/** So many blocks of departed clusters are given up in one turn. */
const BLOCKS_PER_TURN = 16_384;
const PLAIN = UpcaseTable.plain();

/** The parts that a volume is made of. */
export interface VolumeParts extends ClusterVolumeParts {
  readonly geometry: Geometry;
  readonly fat: FatTable;
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
export class Volume extends ClusterVolume {
  readonly geometry: Geometry;
  readonly fat: FatTable;
  writeable = false;
  readonly #flags: VolumeFlags;
  #structures: VolumeStructures | undefined = undefined;
  #wasClean = true;

  constructor(parts: VolumeParts) {
    super('exfat', parts);
    this.geometry = parts.geometry;
    this.fat = parts.fat;
    this.#flags = parts.flags;
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

  override readFat(): Promise<void> {
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

  protected override async flushAll(): Promise<void> {
    await this.cache.flushDurably();
  }

  /** Leaves the volume as clean as it was found, or marked if something was wrong with it. */
  async unmount(): Promise<void> {
    if (!this.modified) return;
    await this.sync();
    const { clusterCount } = this.geometry;
    await this.#flags.setPercentInUse(Math.floor(((clusterCount - this.freeClusters) * 100) / clusterCount));
    if (this.#wasClean && !this.isDamaged) await this.#flags.setDirty(false);
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

  protected override get free(): FreeMap {
    return this.bitmap;
  }

  protected override noteFree(): Promise<void> {
    // The bitmap says it all.
    return Promise.resolve();
  }

  protected override async markInUse(): Promise<void> {
    await this.#flags.setDirty(true);
    await this.cache.barrier();
  }

  protected override release({ first, clusters, contiguous }: Departure): Promise<void> {
    return contiguous === true ? this.#freeRange(first, clusters) : this.#freeChain(first);
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
