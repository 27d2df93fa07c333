import { ClusterVolume, type ClusterVolumeParts } from '../fat/cluster-volume.ts';
import type { Departure } from '../fat/departures.ts';
import { FAT_BAD, FAT_END, FAT_FREE, FAT_MISSING } from '../fat/fat-entry.ts';
import type { FreeMap } from '../fat/free-map.ts';
import { blockOfCluster, FIRST_CLUSTER } from '../fat/layout.ts';
import type { Geometry } from './boot-sector.ts';
import { FatTable } from './fat-table.ts';
import type { FreeClusterSector } from './free-cluster-sector.ts';
import { FreeClusters } from './free-clusters.ts';
import type { StateByte } from './state-byte.ts';

/** The parts that a volume is made of. */
export interface VolumeParts extends ClusterVolumeParts {
  readonly geometry: Geometry;
  readonly state: StateByte;
  readonly freeSector: FreeClusterSector | undefined;
  readonly writeable: boolean;
}

/** The state that every part of a mounted FAT works with. */
export class Volume extends ClusterVolume {
  readonly geometry: Geometry;
  readonly writeable: boolean;
  readonly fat: FatTable;
  protected readonly free: FreeMap;
  readonly #state: StateByte;
  readonly #freeSector: FreeClusterSector | undefined;
  #wasClean = true;

  constructor(parts: VolumeParts) {
    super('msdos', parts);
    this.geometry = parts.geometry;
    this.writeable = parts.writeable;
    this.fat = new FatTable(parts.geometry, parts.layout, parts.cache);
    this.free = new FreeClusters(this.fat, parts.cache);
    this.#state = parts.state;
    this.#freeSector = parts.freeSector;
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

  override readFat(): Promise<void> {
    return this.fat.readMissing();
  }

  protected override async flushAll(): Promise<void> {
    await this.fat.mirror();
    await this.cache.flushDurably();
  }

  /** Leaves the volume as clean as it was found, or marked if something was wrong with it. */
  async unmount(): Promise<void> {
    if (!this.modified) return;
    await this.sync();
    if (!this.#wasClean || this.isDamaged) return;
    await this.fat.setClean(true);
    await this.flush();
    await this.#state.set(false);
    await this.cache.barrier();
  }

  protected override async noteFree(): Promise<void> {
    await this.#freeSector?.write(this.freeClusters, this.nextFree);
  }

  protected override async markInUse(): Promise<void> {
    await this.#state.set(true);
    await this.fat.setClean(false);
    await this.flush();
  }

  /** Frees a chain. One that leads to a cluster that is free already ends there, so circles end. */
  protected override async release({ first }: Departure): Promise<void> {
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
