import { crc32c } from '../checksum/crc.ts';
import type { Inode } from './inode.ts';
import type { Volume } from './volume.ts';

/**
 * The tree of extents, by which ext4 maps the blocks of a file. Its root stands in the inode, its
 * other nodes take a block each. A node has a header and entries of twelve bytes, in ascending
 * order of their logical blocks:
 *
 *     header  0 magic · 2 entries · 4 most entries · 6 depth (0: leaf) · 8 generation
 *     extent  0 logical block · 4 length · 6 upper half, 8 lower half of the first block
 *     index   0 logical block · 4 lower half, 8 upper half of the block of the node below
 *
 * A length above 32768 means an extent of that much less blocks which are allocated but not
 * written: they read as zeros. With metadata_csum a checksum follows the room for entries.
 *
 * Source: as `superblock.ts`.
 */
const MAGIC = 0xf30a;
const HEADER_BYTES = 12;
const ENTRY_BYTES = 12;
/** Room for the checksum is kept also without one. */
export const CHECKSUM_BYTES = 4;
/** No tree of the kernel's is deeper. */
export const DEPTH_MAX = 5;
/** The longest extent, and the longest one that is not written. */
export const EXTENT_BLOCKS_MAX = 32_768;
export const UNWRITTEN_BLOCKS_MAX = EXTENT_BLOCKS_MAX - 1;

/** An entry of a leaf, or, with a length of 0, of another node. */
export interface ExtentEntry {
  readonly logical: number;
  readonly block: number;
  readonly count: number;
  readonly unwritten: boolean;
}

export function entryCount(view: DataView): number {
  return view.getUint16(2, true);
}

export function depthOf(view: DataView): number {
  return view.getUint16(6, true);
}

/** The number of entries for which a node has room. */
export function roomOf(view: DataView): number {
  return view.getUint16(4, true);
}

/** The number of entries for which a node of that many bytes has room. */
export function roomIn(bytes: number): number {
  return Math.floor((bytes - HEADER_BYTES) / ENTRY_BYTES);
}

export function logicalAt(view: DataView, index: number): number {
  return view.getUint32(HEADER_BYTES + index * ENTRY_BYTES, true);
}

/** The block of the node below an entry of a node that is no leaf. */
export function childAt(view: DataView, index: number): number {
  const offset = HEADER_BYTES + index * ENTRY_BYTES;
  return view.getUint32(offset + 4, true) + view.getUint16(offset + 8, true) * 2 ** 32;
}

/** The number of blocks of an extent. */
export function lengthAt(view: DataView, index: number): number {
  const length = view.getUint16(HEADER_BYTES + index * ENTRY_BYTES + 4, true);
  return length > EXTENT_BLOCKS_MAX ? length - EXTENT_BLOCKS_MAX : length;
}

export function isUnwrittenAt(view: DataView, index: number): boolean {
  return view.getUint16(HEADER_BYTES + index * ENTRY_BYTES + 4, true) > EXTENT_BLOCKS_MAX;
}

/** The first block of an extent. */
export function blockAt(view: DataView, index: number): number {
  const offset = HEADER_BYTES + index * ENTRY_BYTES;
  return view.getUint32(offset + 8, true) + view.getUint16(offset + 6, true) * 2 ** 32;
}

/** The index of the last entry that begins at or before `logical`; -1 if there is none. */
export function searchNode(view: DataView, logical: number): number {
  let low = 0;
  let high = entryCount(view);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (logicalAt(view, middle) > logical) high = middle;
    else low = middle + 1;
  }
  return low - 1;
}

export function entriesOf(view: DataView): ExtentEntry[] {
  const leaf = depthOf(view) === 0;
  return Array.from({ length: entryCount(view) }, (_unused, index) => ({
    logical: logicalAt(view, index),
    block: leaf ? blockAt(view, index) : childAt(view, index),
    count: leaf ? lengthAt(view, index) : 0,
    unwritten: leaf && isUnwrittenAt(view, index),
  }));
}

/** Writes a whole node with room for `room` entries: into a block, or the inode's sixty bytes. */
export function writeNode(
  view: DataView,
  room: number,
  depth: number,
  entries: readonly ExtentEntry[],
): void {
  view.setUint16(0, MAGIC, true);
  view.setUint16(2, entries.length, true);
  view.setUint16(4, room, true);
  view.setUint16(6, depth, true);
  for (const [index, entry] of entries.entries()) {
    const offset = HEADER_BYTES + index * ENTRY_BYTES;
    const low = entry.block % 2 ** 32;
    const high = Math.floor(entry.block / 2 ** 32);
    view.setUint32(offset, entry.logical, true);
    if (depth > 0) {
      view.setUint32(offset + 4, low, true);
      view.setUint32(offset + 8, high, true);
    } else {
      view.setUint16(offset + 4, entry.count + (entry.unwritten ? EXTENT_BLOCKS_MAX : 0), true);
      view.setUint16(offset + 6, high, true);
      view.setUint32(offset + 8, low, true);
    }
  }
}

/** Completes a node in a block by its checksum. */
export function sealNode(volume: Volume, inode: Inode, bytes: Uint8Array): void {
  if (!volume.superblock.checksums) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = HEADER_BYTES + roomOf(view) * ENTRY_BYTES;
  view.setUint32(end, crc32c(inode.checksumSeed, bytes, 0, end), true);
}

/** Checks the root of an inode's tree. Throws `Corrupt`. */
export function checkExtentRoot(volume: Volume, inode: Inode): void {
  const { pointers } = inode;
  checkNode(volume, inode, pointers, 0);
  if (depthOf(pointers) > DEPTH_MAX) {
    throw volume.corrupt(`${inode.name}: a tree of extents of depth ${depthOf(pointers)}`);
  }
}

/** Checks a node in a block, with its checksum. Throws `Corrupt`. */
export function checkExtentBlock(volume: Volume, inode: Inode, bytes: Uint8Array, block: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  checkNode(volume, inode, view, block);
  if (!volume.superblock.checksums) return;
  const end = HEADER_BYTES + roomOf(view) * ENTRY_BYTES;
  const found = end + CHECKSUM_BYTES <= bytes.length ? view.getUint32(end, true) : 0;
  if (found !== crc32c(inode.checksumSeed, bytes, 0, end))
    throw volume.corrupt(`${inode.name}: extents in block ${block}: wrong checksum`);
}

function checkNode(volume: Volume, inode: Inode, view: DataView, block: number): void {
  const where = block === 0 ? 'extents in the inode' : `extents in block ${block}`;
  const wrong = (what: string): Error => volume.corrupt(`${inode.name}: ${where}: ${what}`);
  const count = entryCount(view);
  if (view.getUint16(0, true) !== MAGIC)
    throw wrong(`magic number 0x${view.getUint16(0, true).toString(16)}`);
  if (roomOf(view) > roomIn(view.byteLength) || count > roomOf(view))
    throw wrong(`${count} entries in room for ${roomOf(view)}`);
  if (count === 0 && (block !== 0 || depthOf(view) > 0)) throw wrong('no entries');
  const leaf = depthOf(view) === 0;
  let end = 0;
  for (let index = 0; index < count; index += 1) {
    const logical = logicalAt(view, index);
    const length = leaf ? lengthAt(view, index) : 1;
    if (length === 0 || logical + length > 2 ** 32 || (index > 0 && logical < end))
      throw wrong(`entry ${index} has ${length} blocks from ${logical} on, behind ${end}`);
    if (leaf) {
      const first = blockAt(view, index);
      volume.requireFileBlocks(first, length, inode.name);
      const { clusterBlocks, firstDataBlock } = volume.superblock;
      if ((first - firstDataBlock - logical) % clusterBlocks !== 0)
        throw wrong(`entry ${index} has block ${first} for ${logical}, at another place of a cluster`);
    }
    end = logical + length;
  }
}
