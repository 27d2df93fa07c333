import type { FileSystemStatistics } from '../vnode/attributes.ts';
import type { FileSystem, FileSystemNode } from '../vnode/file-system.ts';
import type { ClusterVolume } from './cluster-volume.ts';
import { NAME_BYTES_MAX } from './name-rules.ts';
import { ROOT_ID } from './placed-nodes.ts';

/** A volume that can be written to and left. */
export interface LeavableVolume extends ClusterVolume {
  readonly writeable: boolean;
  unmount(): Promise<void>;
}

/** A mounted FAT or exFAT. */
export class MountedFat implements FileSystem {
  readonly type: 'msdos' | 'exfat';
  readonly rootId = ROOT_ID;
  readonly nameBytesMax = NAME_BYTES_MAX;
  readonly ignoresCase = true;
  readonly #volume: LeavableVolume;
  readonly #label: string;
  readonly #load: (id: number) => Promise<FileSystemNode>;

  constructor(
    type: 'msdos' | 'exfat',
    volume: LeavableVolume,
    label: string,
    load: (id: number) => Promise<FileSystemNode>,
  ) {
    this.type = type;
    this.#volume = volume;
    this.#label = label;
    this.#load = load;
  }

  get writeable(): boolean {
    return this.#volume.writeable;
  }

  load(id: number): Promise<FileSystemNode> {
    return this.#load(id);
  }

  statistics(): FileSystemStatistics {
    const { clusterBytes, clusterCount, freeClusters, departures } = this.#volume;
    return {
      type: this.type,
      label: this.#label,
      blockSizeBytes: clusterBytes,
      blocks: clusterCount,
      blocksFree: Math.min(clusterCount, freeClusters + departures.clusters),
      nodes: 0,
      nodesFree: 0,
      nameBytesMax: NAME_BYTES_MAX,
    };
  }

  sync(): Promise<void> {
    return this.#volume.sync();
  }

  unmount(): Promise<void> {
    return this.#volume.unmount();
  }
}
