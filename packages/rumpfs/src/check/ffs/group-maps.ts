/** Where a group's structure has its maps: it says so itself, and may lie. */
import type { FfsGeometry } from './geometry.ts';

const HEADER_BYTES = 168;
/** What UFS1 has before the maps for the positions on a turning disk: counts of one cylinder. */
const OLD_TABLES_BYTES = 6;
const AT = { inodes: 92, free: 96, end: 100, sums: 104, clusters: 108, clusterBlocks: 112 } as const;

export interface Maps {
  readonly inodes: number;
  readonly free: number;
  /** The counts of clusters by their length, and the bitmap of free blocks. */
  readonly sums: number;
  readonly clusters: number;
  readonly clusterBlocks: number;
}

export function mapsOf({ little }: FfsGeometry, view: DataView): Maps {
  const field = (at: number): number => view.getUint32(at, little);
  return {
    inodes: field(AT.inodes),
    free: field(AT.free),
    sums: field(AT.sums),
    clusters: field(AT.clusters),
    clusterBlocks: field(AT.clusterBlocks),
  };
}

/** Whether all maps are in the structure, behind its header, each in a place of its own. */
export function mapsFit(geometry: FfsGeometry, group: number, maps: Maps): boolean {
  const { contigsum, cgsize, ipg, frag } = geometry;
  const fragments = geometry.fragsIn(group);
  const places = [
    { from: maps.inodes, bytes: Math.ceil(ipg / 8) },
    { from: maps.free, bytes: Math.ceil(fragments / 8) },
  ];
  if (contigsum > 0) {
    if (maps.clusterBlocks > Math.ceil(fragments / frag)) return false;
    // The first of the counts, of clusters of no blocks, is not used and may be another map's.
    places.push({ from: maps.sums + 4, bytes: contigsum * 4 });
    places.push({ from: maps.clusters, bytes: Math.ceil(maps.clusterBlocks / 8) });
  }
  let end = HEADER_BYTES;
  for (const { from, bytes } of places.toSorted((one, other) => one.from - other.from)) {
    if (from < end) return false;
    end = from + bytes;
  }
  return end <= cgsize;
}

/** The maps as whoever makes a file system puts them, one behind the other. */
export function usualMaps(geometry: FfsGeometry, group: number): Maps {
  const { version, ipg, fpg, contigsum, frag } = geometry;
  const inodes = HEADER_BYTES + (version === 1 ? OLD_TABLES_BYTES : 0);
  const free = inodes + Math.ceil(ipg / 8);
  const sums = Math.ceil((free + Math.ceil(fpg / 8)) / 4) * 4 - 4;
  const clusters = sums + (contigsum + 1) * 4;
  return { inodes, free, sums, clusters, clusterBlocks: Math.floor(geometry.fragsIn(group) / frag) };
}

export function putMaps(geometry: FfsGeometry, view: DataView, maps: Maps): void {
  const { little, contigsum, fpg, frag } = geometry;
  const put = (at: number, value: number): void => view.setUint32(at, value, little);
  put(AT.inodes, maps.inodes);
  put(AT.free, maps.free);
  if (contigsum === 0) return;
  put(AT.sums, maps.sums);
  put(AT.clusters, maps.clusters);
  put(AT.clusterBlocks, maps.clusterBlocks);
  put(AT.end, maps.clusters + Math.ceil(fpg / frag / 8));
}
