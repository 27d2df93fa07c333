/**
 * The sizes of a new exFAT. What the format itself says is from Microsoft, "exFAT file system
 * specification"; which of the possible sizes are chosen follows what `mkfs.exfat` (exfatprogs 1.2)
 * is seen to choose, so that a volume is like those that everybody has.
 */
import { FsError } from '../errors.ts';

/** The wishes for an exFAT. */
export interface ExfatWishes {
  readonly clusterBytes?: number | undefined;
  readonly sectorBytes?: number | undefined;
}

/** The sizes, in sectors where nothing else is said. */
export interface ExfatGeometry {
  readonly sectorBytes: number;
  readonly clusterBytes: number;
  readonly sectors: number;
  readonly fatOffset: number;
  readonly fatSectors: number;
  readonly heapOffset: number;
  readonly clusters: number;
}

const KIBIBYTE = 1024;
const MEBIBYTE = 1024 * KIBIBYTE;
const GIBIBYTE = 1024 * MEBIBYTE;
const VOLUME_BYTES_MIN = MEBIBYTE;
const SECTOR_SIZES = [512, 1024, 2048, 4096];
const CLUSTER_BYTES_MAX = 32 * MEBIBYTE;
const CLUSTERS_MAX = 0xffff_fff5;
/** Where the FAT and the clusters begin is a multiple of this; on small volumes of less. */
const BOUNDARY_BYTES = MEBIBYTE;
const BOUNDARY_BYTES_SMALL = 64 * KIBIBYTE;
const SMALL_BYTES = 4 * MEBIBYTE;

/** Chooses the sizes. Throws `InvalidArgument` for wishes that cannot be. */
export function exfatGeometry(sizeBytes: number, wishes: ExfatWishes): ExfatGeometry {
  const sectorBytes = wishes.sectorBytes ?? 512;
  if (!SECTOR_SIZES.includes(sectorBytes))
    throw wrong(`sectors of ${sectorBytes} bytes: there are ${SECTOR_SIZES.join(', ')}`);
  const clusterBytes = wishes.clusterBytes ?? Math.max(sectorBytes, usualCluster(sizeBytes));
  const isPower = Number.isInteger(Math.log2(clusterBytes));
  if (!isPower || clusterBytes < sectorBytes || clusterBytes > CLUSTER_BYTES_MAX)
    throw wrong(`clusters of ${clusterBytes} bytes: a power of two, from a sector to 32 MiB`);
  if (sizeBytes < VOLUME_BYTES_MIN)
    throw wrong(`an exFAT has at least ${VOLUME_BYTES_MIN} bytes, not ${sizeBytes}`);
  const boundary = sizeBytes < SMALL_BYTES ? BOUNDARY_BYTES_SMALL : BOUNDARY_BYTES;
  const fatBytes = roundUp(Math.floor(sizeBytes / clusterBytes) * 4, clusterBytes);
  const heapBytes = roundUp(boundary + Math.max(fatBytes, sectorBytes), boundary);
  const clusters = Math.floor((sizeBytes - heapBytes) / clusterBytes);
  if (clusters > CLUSTERS_MAX) throw wrong(`${clusters} clusters of ${clusterBytes} bytes are too many`);
  if (clusters < clustersNeeded(clusters, clusterBytes))
    throw wrong(`clusters of ${clusterBytes} bytes are too large for ${sizeBytes} bytes`);
  return {
    sectorBytes,
    clusterBytes,
    sectors: Math.floor(sizeBytes / sectorBytes),
    fatOffset: boundary / sectorBytes,
    fatSectors: Math.max(fatBytes, sectorBytes) / sectorBytes,
    heapOffset: heapBytes / sectorBytes,
    clusters,
  };
}

/** The size of the up-case table, which has clusters of its own. */
export const UPCASE_BYTES = 5836;

/** The clusters that a volume must have: for the bitmap, the table and the root directory. */
function clustersNeeded(clusters: number, clusterBytes: number): number {
  return Math.ceil(clusters / 8 / clusterBytes) + Math.ceil(UPCASE_BYTES / clusterBytes) + 1;
}

function usualCluster(sizeBytes: number): number {
  if (sizeBytes <= 256 * MEBIBYTE) return 4 * KIBIBYTE;
  return sizeBytes <= 32 * GIBIBYTE ? 32 * KIBIBYTE : 128 * KIBIBYTE;
}

function roundUp(bytes: number, unit: number): number {
  return Math.ceil(bytes / unit) * unit;
}

function wrong(what: string): FsError {
  return new FsError('InvalidArgument', `exfat: ${what}`);
}
