import { type FfsLog, type JournalLocation, logBytesFor, placeLog } from './ffs-log.ts';
import { refusal } from './ffs-refusal.ts';

/** Wishes for a new FFS; what is missing is chosen by the size of the device, as NetBSD does. */
export interface FfsWishes {
  readonly version?: 1 | 2 | undefined;
  /** The byte order; little endian if it is missing. */
  readonly order?: 'little' | 'big' | undefined;
  readonly blockBytes?: number | undefined;
  /** A block has 1, 2, 4 or 8 of them; 8 if it is missing. */
  readonly fragmentBytes?: number | undefined;
  /** Bytes of the device for each inode. */
  readonly bytesPerInode?: number | undefined;
  /** Where a log of WAPBL is: behind the file system, or in a file without a name. */
  readonly journal?: JournalLocation | undefined;
  /** The bytes of the log. */
  readonly journalBytes?: number | undefined;
}

/** Where everything will be; places are in fragments, and `…At` are those in a group. */
export interface FfsGeometry {
  readonly version: 1 | 2;
  readonly little: boolean;
  readonly bsize: number;
  readonly fsize: number;
  readonly frag: number;
  readonly size: number;
  readonly groups: number;
  readonly fpg: number;
  readonly ipg: number;
  readonly inodeBytes: number;
  readonly inopb: number;
  /** The byte at which the superblock is. */
  readonly superblockByte: number;
  readonly superblockAt: number;
  readonly groupAt: number;
  readonly inodesAt: number;
  readonly dataAt: number;
  readonly groupBytes: number;
  readonly clusterSizes: number;
  readonly maxcontig: number;
  readonly summaryBytes: number;
  readonly log: FfsLog | undefined;
}

/** The place of a superblock has this many bytes. */
const SUPERBLOCK_ROOM_BYTES = 8192;
const SUPERBLOCK_BYTE = { 1: 8192, 2: 65_536 } as const;
const GROUP_HEADER_BYTES = 168;
/** What UFS1 had in a group for the positions on a turning disk: counts of one cylinder. */
const OLD_TABLES_BYTES = 6;
const CONTIGUOUS_BYTES = 64 * 1024;
const CLUSTER_SIZES_MAX = 16;
/** UFS1 counts the inodes of a group in 16 bits with a sign. */
const INODES_MAX_1 = 0x7fff;
const MIB = 1024 * 1024;

/**
 * Throws `InvalidArgument` for wishes that cannot be, or a device that is too small or too large.
 */
export function ffsGeometry(deviceBytes: number, sectorBytes: number, wishes: FfsWishes): FfsGeometry {
  const version = wishes.version ?? 2;
  const bsize = wishes.blockBytes ?? usualBlockBytes(deviceBytes);
  const fsize = wishes.fragmentBytes ?? Math.max(512, bsize / 8);
  requireSizes(bsize, fsize, sectorBytes);
  const frag = bsize / fsize;
  const inodeBytes = version === 1 ? 128 : 256;
  const inopb = bsize / inodeBytes;
  const roundUp = (value: number): number => Math.ceil(value / frag) * frag;
  const superblockByte = SUPERBLOCK_BYTE[version];
  const superblockAt = roundUp(Math.ceil((superblockByte + SUPERBLOCK_ROOM_BYTES) / fsize));
  const groupAt = superblockAt + roundUp(Math.ceil(SUPERBLOCK_ROOM_BYTES / fsize));
  const inodesAt = groupAt + frag;
  const maxcontig = Math.max(1, Math.floor(CONTIGUOUS_BYTES / bsize));
  const clusterSizes = Math.min(maxcontig, CLUSTER_SIZES_MAX);
  const density = wishes.bytesPerInode ?? 4 * fsize;
  if (!Number.isInteger(density) || density < 1) throw refusal(`${density} bytes for each inode`);
  const inodesFor = (fpg: number): number => {
    const wanted = Math.ceil((fpg * fsize) / density / inopb) * inopb;
    const most = version === 1 ? Math.floor(INODES_MAX_1 / inopb) * inopb : wanted;
    return Math.max(inopb, Math.min(wanted, most));
  };
  const groupBytesFor = (fpg: number): number => groupBytes(version, inodesFor(fpg), fpg, frag, clusterSizes);
  const logBytes = logBytesFor(wishes, { deviceBytes, bsize, fsize });
  const behind = wishes.journal === 'end' ? logBytes : 0;
  let size = Math.floor((deviceBytes - behind) / fsize);
  if (size < 1) throw refusal(`a device of ${deviceBytes} bytes is too small for it`);
  if (version === 1 && size > 0x7fff_ffff) throw refusal(`UFS1 has at most ${0x7fff_ffff} fragments`);
  const most = largestGroup(roundUp(size), frag, (fpg) => groupBytesFor(fpg) <= bsize);
  let groups = Math.ceil(size / most);
  let fpg = roundUp(Math.ceil(size / groups));
  const dataAt = inodesAt + (inodesFor(fpg) / inopb) * frag;
  groups = Math.ceil(size / fpg);
  // A rest that has hardly room for the structures of a group is left alone.
  if (groups > 1 && size - (groups - 1) * fpg < dataAt + frag) {
    groups -= 1;
    size = groups * fpg;
  }
  fpg = Math.min(fpg, roundUp(size));
  const summaryBytes = Math.ceil((groups * 16) / fsize) * fsize;
  if (Math.min(fpg, size) < dataAt + summaryBytes / fsize + 2 * frag)
    throw refusal(`a device of ${deviceBytes} bytes is too small for it`);
  const geometry = {
    version,
    little: wishes.order !== 'big',
    bsize,
    fsize,
    frag,
    size,
    groups,
    fpg,
    ipg: inodesFor(fpg),
    inodeBytes,
    inopb,
    superblockByte,
    superblockAt,
    groupAt,
    inodesAt,
    dataAt,
    groupBytes: Math.ceil(groupBytesFor(fpg) / fsize) * fsize,
    clusterSizes,
    maxcontig,
    summaryBytes,
    log: undefined,
  };
  return wishes.journal === undefined
    ? geometry
    : { ...geometry, log: placeLog(geometry, wishes.journal, logBytes, deviceBytes, sectorBytes) };
}

/** Where the maps of a group's structure are, and where they end. */
export function groupMaps(
  version: 1 | 2,
  ipg: number,
  fpg: number,
  frag: number,
  clusterSizes: number,
): {
  readonly inodes: number;
  readonly free: number;
  readonly sums: number;
  readonly clusters: number;
  readonly end: number;
} {
  const inodes = GROUP_HEADER_BYTES + (version === 1 ? OLD_TABLES_BYTES : 0);
  const free = inodes + Math.ceil(ipg / 8);
  // The counts begin with one for clusters of no blocks, which is not used.
  const sums = Math.ceil((free + Math.ceil(fpg / 8)) / 4) * 4 - 4;
  const clusters = sums + (clusterSizes + 1) * 4;
  return { inodes, free, sums, clusters, end: clusters + Math.ceil(fpg / frag / 8) };
}

function groupBytes(version: 1 | 2, ipg: number, fpg: number, frag: number, clusterSizes: number): number {
  return groupMaps(version, ipg, fpg, frag, clusterSizes).end;
}

/** The largest group, of whole blocks, whose structure fits. */
function largestGroup(most: number, frag: number, fits: (fpg: number) => boolean): number {
  let [low, high] = [1, Math.max(1, most / frag)];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(middle * frag)) low = middle;
    else high = middle - 1;
  }
  return low * frag;
}

function usualBlockBytes(deviceBytes: number): number {
  if (deviceBytes < 20 * MIB) return 4096;
  if (deviceBytes < 1000 * MIB) return 8192;
  return deviceBytes < 128 * 1024 * MIB ? 16_384 : 32_768;
}

function requireSizes(bsize: number, fsize: number, sectorBytes: number): void {
  const power = (value: number): boolean => Number.isInteger(Math.log2(value));
  if (!power(bsize) || bsize < 4096 || bsize > 65_536)
    throw refusal(`blocks of ${bsize} bytes: 4096 to 65536 are possible`);
  if (!power(fsize) || fsize < 512 || ![1, 2, 4, 8].includes(bsize / fsize))
    throw refusal(`fragments of ${fsize} bytes in blocks of ${bsize}: 1, 2, 4 or 8 are possible`);
  if (fsize < sectorBytes) throw refusal(`fragments of ${fsize} bytes on sectors of ${sectorBytes}`);
}
