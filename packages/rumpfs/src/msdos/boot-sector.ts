/**
 * The boot sector of a FAT, which holds the sizes of everything ("BIOS parameter block"):
 *
 *     11 bytes per sector (2) · 13 sectors per cluster (1) · 14 reserved sectors (2) · 16 FATs (1)
 *     17 root entries (2) · 19 sectors (2) · 21 media (1) · 22 sectors per FAT (2) · 32 sectors (4)
 *
 * FAT32 goes on with 36 sectors per FAT (4) · 40 flags (2) · 42 version (2) · 44 root cluster (4) ·
 * 48 FSInfo (2). The reserved sectors are followed by the FATs, the root directory of FAT12 and
 * FAT16, and the clusters.
 *
 * Source: Microsoft, "FAT: General Overview of On-Disk Format", version 1.03; ECMA-107.
 */
import { FsError } from '../errors.ts';
import { FIRST_CLUSTER } from '../fat/layout.ts';

export const BOOT_SECTOR_BYTES = 512;
export const ENTRY_BYTES = 32;

const SECTOR_BYTES_MIN = 512;
const SECTOR_BYTES_MAX = 4096;
const SECTORS_PER_CLUSTER_MAX = 128;
const FATS_MAX = 4;
const MEDIA_MIN = 0xf0;
/** The most clusters that a FAT12 has; one more, and it is a FAT16. */
const FAT12_CLUSTERS_MAX = 4084;
const FAT16_CLUSTERS_MAX = 65_524;
const FAT32_CLUSTERS_MAX = 0x0fff_fff5;
const EXTENDED_SIGNATURES: readonly number[] = [0x28, 0x29];
const NO_MIRROR_FLAG = 0x80;
const ACTIVE_FAT_MASK = 0x0f;

export type FatBits = 12 | 16 | 32;

/** The sizes and places of a FAT. Places are bytes from the start of the device. */
export interface Geometry {
  readonly bits: FatBits;
  readonly sectorBytes: number;
  readonly clusterBytes: number;
  /** The number of clusters, the first of which is number 2. */
  readonly clusterCount: number;
  readonly totalBytes: number;
  readonly fatStart: number;
  readonly fatBytes: number;
  readonly fatCount: number;
  /** The copy that is read, and the only one that is written where they are no mirrors. */
  readonly activeFat: number;
  readonly mirrored: boolean;
  /** The root directory of FAT12 and FAT16; it has no bytes in FAT32. */
  readonly rootStart: number;
  readonly rootBytes: number;
  /** The first cluster of FAT32's root directory. */
  readonly rootCluster: number;
  readonly dataStart: number;
  /** The place of the sector with the free clusters; undefined without one. */
  readonly infoStart: number | undefined;
  /** The byte of the boot sector whose lowest bit says that the volume is in use. */
  readonly stateOffset: number | undefined;
  readonly label: string;
}

/** Whether these bytes look like the boot sector of a FAT. */
export function looksLikeFat(bytes: Uint8Array): boolean {
  try {
    readGeometry(bytes);
    return true;
  } catch {
    return false;
  }
}

/**
 * Reads the sizes. Throws `NoFileSystem` where there is no FAT, `Corrupt` where one makes no sense.
 */
export function readGeometry(bytes: Uint8Array): Geometry {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const sectorBytes = view.getUint16(11, true);
  const perCluster = view.getUint8(13);
  const reserved = view.getUint16(14, true);
  const fatCount = view.getUint8(16);
  if (!isPower(sectorBytes) || sectorBytes < SECTOR_BYTES_MIN || sectorBytes > SECTOR_BYTES_MAX)
    throw none(`sectors of ${sectorBytes} bytes`);
  if (!isPower(perCluster) || perCluster > SECTORS_PER_CLUSTER_MAX)
    throw none(`clusters of ${perCluster} sectors`);
  if (reserved === 0) throw none('no reserved sectors');
  if (fatCount === 0 || fatCount > FATS_MAX) throw none(`${fatCount} FATs`);
  if (view.getUint8(21) < MEDIA_MIN) throw none(`media 0x${view.getUint8(21).toString(16)}`);

  const rootEntries = view.getUint16(17, true);
  const total = view.getUint16(19, true) || view.getUint32(32, true);
  const large = view.getUint16(22, true) === 0;
  const fatSectors = large ? view.getUint32(36, true) : view.getUint16(22, true);
  if (fatSectors === 0) throw none('FATs without sectors');
  if (large && view.getUint16(42, true) !== 0) {
    throw new FsError('NotSupported', `msdos: FAT32 of version 0x${view.getUint16(42, true).toString(16)}`);
  }
  const rootSectors = Math.ceil((rootEntries * ENTRY_BYTES) / sectorBytes);
  const dataSector = reserved + fatCount * fatSectors + rootSectors;
  const inFat = Math.floor((fatSectors * sectorBytes * 8) / (large ? 32 : 12));
  if (total <= dataSector) throw corrupt(`${total} sectors, but the clusters begin at sector ${dataSector}`);
  const clusters = Math.floor((total - dataSector) / perCluster);
  const bits = large ? 32 : clusters <= FAT12_CLUSTERS_MAX ? 12 : 16;
  if (bits === 16 && clusters > FAT16_CLUSTERS_MAX) throw corrupt(`${clusters} clusters in a FAT16`);
  if (bits !== 32 && rootEntries === 0) throw corrupt('a root directory without entries');
  const entries = bits === 16 ? Math.floor((fatSectors * sectorBytes) / 2) : inFat;
  const clusterCount = Math.min(clusters, entries - FIRST_CLUSTER, FAT32_CLUSTERS_MAX);
  if (clusterCount < 1) throw corrupt('no clusters');

  const flags = large ? view.getUint16(40, true) : 0;
  const mirrored = (flags & NO_MIRROR_FLAG) === 0;
  const activeFat = mirrored ? 0 : flags & ACTIVE_FAT_MASK;
  if (activeFat >= fatCount) throw corrupt(`FAT ${activeFat} of ${fatCount} is the active one`);
  const rootCluster = large ? view.getUint32(44, true) : 0;
  if (large && (rootCluster < FIRST_CLUSTER || rootCluster >= clusterCount + FIRST_CLUSTER)) {
    throw corrupt(`the root directory begins at cluster ${rootCluster} of ${clusterCount}`);
  }
  const infoSector = large ? view.getUint16(48, true) : 0;
  const extended = EXTENDED_SIGNATURES.includes(view.getUint8(large ? 66 : 38));
  return {
    bits,
    sectorBytes,
    clusterBytes: perCluster * sectorBytes,
    clusterCount,
    totalBytes: total * sectorBytes,
    fatStart: reserved * sectorBytes,
    fatBytes: fatSectors * sectorBytes,
    fatCount,
    activeFat,
    mirrored,
    rootStart: (dataSector - rootSectors) * sectorBytes,
    rootBytes: large ? 0 : rootSectors * sectorBytes,
    rootCluster,
    dataStart: dataSector * sectorBytes,
    infoStart: infoSector === 0 || infoSector >= reserved ? undefined : infoSector * sectorBytes,
    stateOffset: extended ? (large ? 65 : 37) : undefined,
    label: extended ? labelText(bytes.subarray(large ? 71 : 43, large ? 82 : 54)) : '',
  };
}

function labelText(bytes: Uint8Array): string {
  const text = String.fromCharCode(...bytes).trimEnd();
  return text === 'NO NAME' ? '' : text;
}

function isPower(value: number): boolean {
  return value > 0 && (value & (value - 1)) === 0;
}

function none(what: string): FsError {
  return new FsError('NoFileSystem', `msdos: no boot sector: ${what}`);
}

function corrupt(what: string): FsError {
  return new FsError('Corrupt', `msdos: boot sector: ${what}`);
}
