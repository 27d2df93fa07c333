/**
 * The boot region of an exFAT: twelve sectors, and a backup of them right behind. The first sector
 * has the sizes of everything:
 *
 *     0 jump (3) · 3 "EXFAT   " (8) · 11 zeros (53) · 72 sectors of the volume (8)
 *     80 sector of the FAT (4) · 84 sectors of a FAT (4) · 88 sector of the clusters (4)
 *     92 clusters (4) · 96 first cluster of the root directory (4) · 100 serial number (4)
 *     104 revision (2) · 106 flags (2) · 108 binary logarithm of bytes per sector (1)
 *     109 of sectors per cluster (1) · 110 FATs (1) · 112 percent in use (1) · 510 0x55 0xaa
 *
 * Sectors 1 to 8 are for code, 9 has parameters of the device, 10 is reserved. The last one repeats
 * a checksum of the first eleven, which leaves out the flags and the percentage, so that these may
 * change.
 *
 * Source: Microsoft, "exFAT file system specification", revision 1.00, section 3.
 */
import { FsError } from '../errors.ts';
import { FIRST_CLUSTER } from '../fat/layout.ts';
import { readReserved } from '../fat/raw-sector.ts';
import type { BlockIo } from '../hypercall/hypercalls.ts';
import { readBytes } from '../hypercall/read-bytes.ts';

export const BOOT_SECTOR_BYTES = 512;
export const FLAGS_OFFSET = 106;
export const PERCENT_OFFSET = 112;

const REGION_SECTORS = 12;
const CHECKSUM_SECTOR = 11;
const SECTOR_SHIFT_MIN = 9;
const SECTOR_SHIFT_MAX = 12;
/** A cluster has at most 32 MiB. */
const CLUSTER_SHIFT_MAX = 25;
const FAT_OFFSET_MIN = 24;
const CLUSTERS_MAX = 0xffff_fff5;
const MAJOR_REVISION = 1;
const NAME = 'EXFAT   ';

/** The sizes and places of an exFAT. Places are bytes from the start of the device. */
export interface Geometry {
  readonly sectorBytes: number;
  readonly clusterBytes: number;
  /** The number of clusters, the first of which is number 2. */
  readonly clusterCount: number;
  readonly totalBytes: number;
  readonly fatStart: number;
  readonly fatBytes: number;
  readonly fatCount: number;
  readonly dataStart: number;
  readonly rootCluster: number;
}

/** What the boot region says. */
export interface BootRegion {
  readonly geometry: Geometry;
  readonly flags: number;
  /** Why the backup is used; undefined where the region itself is sound. */
  readonly damage: string | undefined;
}

/** Whether a device has an exFAT, by its boot region or by the backup of it. */
export async function hasBootRegion(bio: BlockIo): Promise<boolean> {
  for (const offset of regionOffsets(bio)) if (isNamed(await readReserved(bio, offset))) return true;
  return false;
}

/**
 * Reads the boot region, or its backup where it is damaged. Rejects with `NoFileSystem`,
 * `NotSupported` for another revision, or `Corrupt`.
 */
export async function loadBootRegion(bio: BlockIo): Promise<BootRegion> {
  let damage: string | undefined;
  for (const offset of regionOffsets(bio)) {
    const sector = await readReserved(bio, offset);
    if (!isNamed(sector)) {
      damage ??= 'the boot sector is none';
      continue;
    }
    try {
      const geometry = readGeometry(sector);
      await requireChecksum(bio, offset, geometry.sectorBytes);
      const flags = new DataView(sector.buffer, sector.byteOffset).getUint16(FLAGS_OFFSET, true);
      return { geometry, flags, damage: offset === 0 ? undefined : damage };
    } catch (error) {
      if (!(error instanceof FsError) || error.code !== 'Corrupt') throw error;
      damage = error.message;
    }
  }
  if (damage === undefined || damage === 'the boot sector is none')
    throw new FsError('NoFileSystem', 'exfat: no boot sector');
  throw new FsError('Corrupt', `${damage}, and there is no sound backup`);
}

/** Where a boot region may begin: at the start, and, as a backup, behind one. */
function regionOffsets(bio: BlockIo): readonly number[] {
  const offsets = [0];
  for (let shift = SECTOR_SHIFT_MIN; shift <= SECTOR_SHIFT_MAX; shift += 1)
    offsets.push(REGION_SECTORS << shift);
  const end = bio.sectorCount * bio.sectorSizeBytes;
  return offsets.filter((offset) => offset + BOOT_SECTOR_BYTES <= end);
}

function isNamed(sector: Uint8Array): boolean {
  return [...NAME].every((letter, index) => sector[3 + index] === letter.charCodeAt(0));
}

function readGeometry(bytes: Uint8Array): Geometry {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint16(510, true) !== 0xaa55) throw corrupt('no signature at byte 510');
  if (bytes.subarray(11, 64).some((byte) => byte !== 0)) throw corrupt('bytes 11 to 63 are not zero');
  const revision = view.getUint16(104, true);
  if (revision >>> 8 !== MAJOR_REVISION) {
    throw new FsError('NotSupported', `exfat: revision ${revision >>> 8}.${revision & 0xff}`);
  }
  const sectorShift = view.getUint8(108);
  const perClusterShift = view.getUint8(109);
  if (sectorShift < SECTOR_SHIFT_MIN || sectorShift > SECTOR_SHIFT_MAX)
    throw corrupt(`sectors of 2^${sectorShift} bytes`);
  if (sectorShift + perClusterShift > CLUSTER_SHIFT_MAX)
    throw corrupt(`clusters of 2^${sectorShift + perClusterShift} bytes`);
  const sectorBytes = 1 << sectorShift;
  const fatCount = view.getUint8(110);
  if (fatCount !== 1 && fatCount !== 2) throw corrupt(`${fatCount} FATs`);
  const total = Number(view.getBigUint64(72, true));
  const fatSector = view.getUint32(80, true);
  const fatSectors = view.getUint32(84, true);
  const dataSector = view.getUint32(88, true);
  const clusterCount = view.getUint32(92, true);
  if (!Number.isSafeInteger(total * sectorBytes)) throw corrupt(`${total} sectors`);
  if (fatSector < FAT_OFFSET_MIN) throw corrupt(`the FAT begins at sector ${fatSector}`);
  if (clusterCount < 1 || clusterCount > CLUSTERS_MAX) throw corrupt(`${clusterCount} clusters`);
  if (fatSectors * sectorBytes < (clusterCount + FIRST_CLUSTER) * 4)
    throw corrupt(`a FAT of ${fatSectors} sectors for ${clusterCount} clusters`);
  if (dataSector < fatSector + fatSectors * fatCount)
    throw corrupt(`the clusters begin at sector ${dataSector}, within the FAT`);
  if (dataSector + clusterCount * 2 ** perClusterShift > total)
    throw corrupt(`${clusterCount} clusters from sector ${dataSector} on, of ${total} sectors`);
  const rootCluster = view.getUint32(96, true);
  if (rootCluster < FIRST_CLUSTER || rootCluster >= clusterCount + FIRST_CLUSTER)
    throw corrupt(`the root directory begins at cluster ${rootCluster} of ${clusterCount}`);
  return {
    sectorBytes,
    clusterBytes: sectorBytes * 2 ** perClusterShift,
    clusterCount,
    totalBytes: total * sectorBytes,
    fatStart: fatSector * sectorBytes,
    fatBytes: fatSectors * sectorBytes,
    fatCount,
    dataStart: dataSector * sectorBytes,
    rootCluster,
  };
}

async function requireChecksum(bio: BlockIo, offset: number, sectorBytes: number): Promise<void> {
  const length = REGION_SECTORS * sectorBytes;
  if (offset + length > bio.sectorCount * bio.sectorSizeBytes)
    throw corrupt('it reaches beyond the end of the device');
  const region = await readBytes(bio, offset, length);
  let sum = 0;
  for (let index = 0; index < CHECKSUM_SECTOR * sectorBytes; index += 1) {
    if (index === FLAGS_OFFSET || index === FLAGS_OFFSET + 1 || index === PERCENT_OFFSET) continue;
    sum = (((sum << 31) | (sum >>> 1)) + (region[index] ?? 0)) >>> 0;
  }
  const view = new DataView(region.buffer, region.byteOffset);
  for (let index = CHECKSUM_SECTOR * sectorBytes; index < length; index += 4) {
    const said = view.getUint32(index, true);
    if (said !== sum) throw corrupt(`its checksum is 0x${sum.toString(16)}, not 0x${said.toString(16)}`);
  }
}

function corrupt(what: string): FsError {
  return new FsError('Corrupt', `exfat: boot sector: ${what}`);
}
