import { crc32c, crc32cOfLong } from '../checksum/crc.ts';
import { INCOMPATIBLE_FEATURE, READ_ONLY_FEATURE } from './features.ts';
import { type Inode, INODE_FLAG, POINTERS_BYTES } from './inode.ts';
import type { Superblock } from './superblock.ts';

/**
 * An inode on the device: 128 bytes, or a larger power of two whose part behind byte 128 begins
 * with the number of its bytes that have a meaning ("extra size"), among them finer and longer
 * times; what follows those holds extended attributes, which are kept as they are.
 *
 *     0 mode · 2 uid · 4 size · 8 atime · 12 ctime · 16 mtime · 20 dtime · 24 gid · 26 links · 28 sectors
 *     32 flags · 40 fifteen block pointers, the root of the extents, or a short symlink's target
 *     100 generation · 104 block of extended attributes · 108 upper half of the size
 *     116 upper parts of sectors, attribute block (118), uid (120), gid (122) · 124 checksum
 *     128 extra size · 130 upper half of the checksum · 132 ctime extra · 136 mtime extra
 *     140 atime extra · 144 crtime · 148 crtime extra
 *
 * An "extra" time word holds nanoseconds in its upper 30 bits and two more bits of the seconds in
 * its lower two. Source: as `superblock.ts`.
 */
const POINTERS_OFFSET = 40;
/**
 * The extra size of a new inode in a table with room for it: all fields up to the project number.
 */
const EXTRA_BYTES_OF_NEW = 32;
export const BASIC_BYTES = 128;
const MODE_FILE = 0x8000;
const MODE_DIRECTORY = 0x4000;
const CHECKSUM_OFFSET = 124;
const CHECKSUM_HIGH_OFFSET = 130;
/** The extra size from which on an inode has the upper half of its checksum. */
const EXTRA_BYTES_WITH_CHECKSUM = 4;

const TIME_OFFSET = { changed: 132, modified: 136, accessed: 140, created: 144, createdExtra: 148 } as const;

/** Fills the in-memory inode from its bytes at `base`. */
export function decodeInode(inode: Inode, view: DataView, base: number, superblock: Superblock): void {
  const long = (at: number): number => view.getUint32(base + at, true);
  const short = (at: number): number => view.getUint16(base + at, true);
  inode.mode = short(0);
  inode.uid = short(2) | (short(120) << 16);
  inode.gid = short(24) | (short(122) << 16);
  inode.linkCount = short(26);
  inode.flags = long(32);
  inode.sectors = decodeSectors(superblock, inode.flags, long(28), short(116));
  inode.generation = long(100);
  inode.attributesBlock =
    long(104) + (superblock.has(INCOMPATIBLE_FEATURE.sixtyFourBit) ? short(118) : 0) * 2 ** 32;
  inode.sizeBytes = long(4) + (hasSizeHigh(superblock, inode.mode) ? long(108) * 2 ** 32 : 0);
  inode.deletedTime = long(20);
  bytesOf(inode.pointers, 0).set(bytesOf(view, base + POINTERS_OFFSET));
  const extra = superblock.inodeSizeBytes > BASIC_BYTES ? short(128) : 0;
  inode.extraBytes = extra <= superblock.inodeSizeBytes - BASIC_BYTES ? extra : 0;
  inode.checksumSeed = seedOf(superblock, inode);
  inode.changedMs = decodeTime(view, base, 12, TIME_OFFSET.changed, inode.extraBytes);
  inode.modifiedMs = decodeTime(view, base, 16, TIME_OFFSET.modified, inode.extraBytes);
  inode.accessedMs = decodeTime(view, base, 8, TIME_OFFSET.accessed, inode.extraBytes);
  const { created, createdExtra } = TIME_OFFSET;
  inode.bornMs =
    inode.extraBytes >= createdExtra + 4 - BASIC_BYTES
      ? decodeTime(view, base, created, createdExtra, inode.extraBytes)
      : undefined;
}

/** Writes the fields that may have changed; bytes without a field here stay as they are. */
export function encodeInode(inode: Inode, view: DataView, base: number, superblock: Superblock): void {
  view.setUint16(base, inode.mode, true);
  view.setUint16(base + 2, inode.uid & 0xffff, true);
  view.setUint32(base + 4, inode.sizeBytes % 2 ** 32, true);
  view.setUint32(base + 20, inode.deletedTime, true);
  view.setUint16(base + 24, inode.gid & 0xffff, true);
  view.setUint16(base + 26, inode.lingering ? Math.max(1, inode.linkCount) : inode.linkCount, true);
  encodeSectors(superblock, inode, view, base);
  view.setUint32(base + 32, inode.flags, true);
  bytesOf(view, base + POINTERS_OFFSET).set(bytesOf(inode.pointers, 0));
  view.setUint32(base + 100, inode.generation, true);
  view.setUint32(base + 104, inode.attributesBlock % 2 ** 32, true);
  if (superblock.has(INCOMPATIBLE_FEATURE.sixtyFourBit))
    view.setUint16(base + 118, Math.floor(inode.attributesBlock / 2 ** 32), true);
  if (hasSizeHigh(superblock, inode.mode)) {
    view.setUint32(base + 108, Math.floor(inode.sizeBytes / 2 ** 32), true);
  }
  view.setUint16(base + 120, inode.uid >>> 16, true);
  view.setUint16(base + 122, inode.gid >>> 16, true);
  encodeTime(view, base, 12, TIME_OFFSET.changed, inode.extraBytes, inode.changedMs);
  encodeTime(view, base, 16, TIME_OFFSET.modified, inode.extraBytes, inode.modifiedMs);
  encodeTime(view, base, 8, TIME_OFFSET.accessed, inode.extraBytes, inode.accessedMs);
  if (superblock.checksums)
    setChecksum(view, base, inode.extraBytes, checksumOf(superblock, inode, view, base));
}

/** Clears the place of a new inode and writes the fields that are set once. */
export function formatInode(inode: Inode, view: DataView, base: number, superblock: Superblock): void {
  const sizeBytes = superblock.inodeSizeBytes;
  new Uint8Array(view.buffer, view.byteOffset + base, sizeBytes).fill(0);
  inode.checksumSeed = seedOf(superblock, inode);
  if (sizeBytes < BASIC_BYTES + EXTRA_BYTES_OF_NEW) return;
  inode.extraBytes = EXTRA_BYTES_OF_NEW;
  inode.bornMs = inode.changedMs;
  view.setUint16(base + 128, EXTRA_BYTES_OF_NEW, true);
  encodeTime(view, base, TIME_OFFSET.created, TIME_OFFSET.createdExtra, EXTRA_BYTES_OF_NEW, inode.changedMs);
}

/** Whether the checksum of the inode at `base` is right, where inodes have one. */
export function isIntact(inode: Inode, view: DataView, base: number, superblock: Superblock): boolean {
  if (!superblock.checksums) return true;
  const high = inode.extraBytes >= EXTRA_BYTES_WITH_CHECKSUM;
  const found =
    view.getUint16(base + CHECKSUM_OFFSET, true) +
    (high ? view.getUint16(base + CHECKSUM_HIGH_OFFSET, true) * 2 ** 16 : 0);
  const expected = checksumOf(superblock, inode, view, base);
  setChecksum(view, base, inode.extraBytes, found);
  return found === (high ? expected : expected & 0xffff);
}

/** The checksum of the inode at `base`, whose own field is cleared. */
function checksumOf(superblock: Superblock, inode: Inode, view: DataView, base: number): number {
  setChecksum(view, base, inode.extraBytes, 0);
  const bytes = new Uint8Array(view.buffer, view.byteOffset + base, superblock.inodeSizeBytes);
  return crc32c(inode.checksumSeed, bytes);
}

function setChecksum(view: DataView, base: number, extraBytes: number, checksum: number): void {
  view.setUint16(base + CHECKSUM_OFFSET, checksum & 0xffff, true);
  if (extraBytes >= EXTRA_BYTES_WITH_CHECKSUM)
    view.setUint16(base + CHECKSUM_HIGH_OFFSET, Math.floor(checksum / 2 ** 16), true);
}

function seedOf(superblock: Superblock, inode: Inode): number {
  if (!superblock.checksums) return 0;
  return crc32cOfLong(crc32cOfLong(superblock.checksumSeed, inode.id), inode.generation);
}

function hasSizeHigh(superblock: Superblock, mode: number): boolean {
  const kind = mode & 0xf000;
  if (kind === MODE_FILE) return true;
  return kind === MODE_DIRECTORY && superblock.has(INCOMPATIBLE_FEATURE.largeDirectory);
}

function decodeSectors(superblock: Superblock, flags: number, low: number, high: number): number {
  if (!superblock.allows(READ_ONLY_FEATURE.hugeFile)) return low;
  const count = low + high * 2 ** 32;
  return (flags & INODE_FLAG.hugeFile) === 0 ? count : count * (superblock.blockSizeBytes / 512);
}

function encodeSectors(superblock: Superblock, inode: Inode, view: DataView, base: number): void {
  const inBlocks = (inode.flags & INODE_FLAG.hugeFile) !== 0;
  const count = inBlocks ? inode.sectors / (superblock.blockSizeBytes / 512) : inode.sectors;
  view.setUint32(base + 28, count % 2 ** 32, true);
  if (superblock.allows(READ_ONLY_FEATURE.hugeFile))
    view.setUint16(base + 116, Math.floor(count / 2 ** 32), true);
}

function bytesOf(view: DataView, offset: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + offset, POINTERS_BYTES);
}

function decodeTime(view: DataView, base: number, at: number, extraAt: number, extraBytes: number): number {
  let seconds = view.getInt32(base + at, true);
  if (extraAt + 4 > BASIC_BYTES + extraBytes) return seconds * 1000;
  const extra = view.getUint32(base + extraAt, true);
  seconds += (extra & 3) * 2 ** 32;
  return seconds * 1000 + Math.floor((extra >>> 2) / 1e6);
}

function encodeTime(
  view: DataView,
  base: number,
  at: number,
  extraAt: number,
  extraBytes: number,
  timeMs: number,
): void {
  const seconds = Math.floor(timeMs / 1000);
  if (extraAt + 4 > BASIC_BYTES + extraBytes) {
    view.setInt32(base + at, Math.max(-0x8000_0000, Math.min(0x7fff_ffff, seconds)), true);
    return;
  }
  view.setInt32(base + at, seconds | 0, true);
  const known = view.getUint32(base + extraAt, true);
  const milliseconds = Math.floor(timeMs) - seconds * 1000;
  // The nanoseconds on the device are finer than our milliseconds: keep them if the time is
  // unchanged.
  const unchanged = Math.floor((known >>> 2) / 1e6) === milliseconds;
  const nanoseconds = unchanged ? known >>> 2 : milliseconds * 1e6;
  const epoch = Math.floor((seconds - (seconds | 0)) / 2 ** 32) & 3;
  view.setUint32(base + extraAt, ((nanoseconds << 2) | epoch) >>> 0, true);
}
