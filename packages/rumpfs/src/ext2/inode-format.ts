import { type Inode, POINTERS_BYTES } from './inode.ts';

/**
 * An inode on the device: 128 bytes, or a larger power of two whose part behind byte 128 begins
 * with the number of its bytes that have a meaning ("extra size"), among them finer and longer
 * times; what follows those holds extended attributes, which are kept as they are.
 *
 *     0 mode · 2 uid · 4 size · 8 atime · 12 ctime · 16 mtime · 20 dtime · 24 gid · 26 links · 28 sectors
 *     32 flags · 40 fifteen block pointers, or a short symlink's target · 100 generation
 *     104 block of extended attributes · 108 upper half of the size (files) · 120 upper halves of uid and gid
 *     128 extra size · 132 ctime extra · 136 mtime extra · 140 atime extra · 144 crtime · 148 crtime extra
 *
 * An "extra" time word holds nanoseconds in its upper 30 bits and two more bits of the seconds in
 * its lower two. Source: as `superblock.ts`.
 */
const POINTERS_OFFSET = 40;
/**
 * The extra size of a new inode in a table with room for it: all fields up to the project number.
 */
const EXTRA_BYTES_OF_NEW = 32;
const BASIC_BYTES = 128;
const MODE_FILE = 0x8000;

const TIME_OFFSET = { changed: 132, modified: 136, accessed: 140, created: 144, createdExtra: 148 } as const;

/** Fills the in-memory inode from its `sizeBytes` bytes at `base`. */
export function decodeInode(inode: Inode, view: DataView, base: number, sizeBytes: number): void {
  const long = (at: number): number => view.getUint32(base + at, true);
  const short = (at: number): number => view.getUint16(base + at, true);
  inode.mode = short(0);
  inode.uid = short(2) | (short(120) << 16);
  inode.gid = short(24) | (short(122) << 16);
  inode.linkCount = short(26);
  inode.sectors = long(28);
  inode.flags = long(32);
  inode.generation = long(100);
  inode.attributesBlock = long(104);
  inode.sizeBytes = long(4) + ((inode.mode & 0xf000) === MODE_FILE ? long(108) * 2 ** 32 : 0);
  inode.deletedTime = long(20);
  bytesOf(inode.pointers, 0).set(bytesOf(view, base + POINTERS_OFFSET));
  const extra = sizeBytes > BASIC_BYTES ? short(128) : 0;
  inode.extraBytes = extra <= sizeBytes - BASIC_BYTES ? extra : 0;
  inode.changedMs = decodeTime(view, base, 12, TIME_OFFSET.changed, inode.extraBytes);
  inode.modifiedMs = decodeTime(view, base, 16, TIME_OFFSET.modified, inode.extraBytes);
  inode.accessedMs = decodeTime(view, base, 8, TIME_OFFSET.accessed, inode.extraBytes);
}

/** Writes the fields that may have changed; bytes without a field here stay as they are. */
export function encodeInode(inode: Inode, view: DataView, base: number): void {
  view.setUint16(base, inode.mode, true);
  view.setUint16(base + 2, inode.uid & 0xffff, true);
  view.setUint32(base + 4, inode.sizeBytes % 2 ** 32, true);
  view.setUint32(base + 20, inode.deletedTime, true);
  view.setUint16(base + 24, inode.gid & 0xffff, true);
  view.setUint16(base + 26, inode.lingering ? Math.max(1, inode.linkCount) : inode.linkCount, true);
  view.setUint32(base + 28, inode.sectors, true);
  view.setUint32(base + 32, inode.flags, true);
  bytesOf(view, base + POINTERS_OFFSET).set(bytesOf(inode.pointers, 0));
  view.setUint32(base + 100, inode.generation, true);
  view.setUint32(base + 104, inode.attributesBlock, true);
  if ((inode.mode & 0xf000) === MODE_FILE) {
    view.setUint32(base + 108, Math.floor(inode.sizeBytes / 2 ** 32), true);
  }
  view.setUint16(base + 120, inode.uid >>> 16, true);
  view.setUint16(base + 122, inode.gid >>> 16, true);
  encodeTime(view, base, 12, TIME_OFFSET.changed, inode.extraBytes, inode.changedMs);
  encodeTime(view, base, 16, TIME_OFFSET.modified, inode.extraBytes, inode.modifiedMs);
  encodeTime(view, base, 8, TIME_OFFSET.accessed, inode.extraBytes, inode.accessedMs);
}

/** Clears the place of a new inode and writes the fields that are set once. */
export function formatInode(inode: Inode, view: DataView, base: number, sizeBytes: number): void {
  new Uint8Array(view.buffer, view.byteOffset + base, sizeBytes).fill(0);
  if (sizeBytes < BASIC_BYTES + EXTRA_BYTES_OF_NEW) return;
  inode.extraBytes = EXTRA_BYTES_OF_NEW;
  view.setUint16(base + 128, EXTRA_BYTES_OF_NEW, true);
  encodeTime(view, base, TIME_OFFSET.created, TIME_OFFSET.createdExtra, EXTRA_BYTES_OF_NEW, inode.changedMs);
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
