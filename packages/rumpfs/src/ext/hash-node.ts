import { INDEX_TAIL_BYTES } from './directory-checksum.ts';
import { decodeLength } from './directory-record.ts';
import { HASH_VERSIONS } from './name-hash.ts';
import type { Volume } from './volume.ts';

/**
 * The blocks that a hash tree has of its own in a directory. The first block of the directory is
 * the root: behind "." and "..", whose record seems to fill the block,
 *
 *     24 zeros · 28 version of the hash · 29 length of this (8) · 30 levels below the root's · 32 entries
 *
 * Other nodes begin with a free record that seems to fill the block, and have their entries behind
 * its header. An entry is a hash and the logical block with the names from that hash on; in the
 * place of the hash of the first are the numbers of entries for which there is room, and that there
 * are. A hash whose lowest bit is set says that its block goes on with the names of the hash that
 * the block before ends with.
 *
 * Source: as `superblock.ts`.
 */
const ROOT_START = 32;
const NODE_START = 8;
const INFO_OFFSET = 24;
const INFO_BYTES = 8;
const ENTRY_BYTES = 8;
const BLOCK_MASK = 0x0fff_ffff;
/** Levels below the root's, without and with large_dir. */
export const LEVELS_MAX = 1;
export const LEVELS_MAX_LARGE = 2;

/** An entry of a node. */
export interface HashEntry {
  /** 0 for the first one. */
  readonly hash: number;
  readonly logical: number;
}

/** Where the entries of a block of the tree itself begin; 0 for a block of names. */
export function indexStart(volume: Volume, view: DataView, logical: number): number {
  if (logical === 0) return isRoot(volume, view) ? ROOT_START : 0;
  const isNode =
    view.getUint32(0, true) === 0 &&
    decodeLength(view.getUint16(4, true), volume.blockSizeBytes) === volume.blockSizeBytes &&
    view.getUint16(NODE_START, true) === roomFor(volume, NODE_START);
  return isNode ? NODE_START : 0;
}

/** Whether the first block of a directory is the root of a hash tree that can be used. */
export function isRoot(volume: Volume, view: DataView): boolean {
  const { blockSizeBytes } = volume;
  return (
    view.getUint16(4, true) === 12 &&
    decodeLength(view.getUint16(16, true), blockSizeBytes) === blockSizeBytes - 12 &&
    view.getUint32(INFO_OFFSET, true) === 0 &&
    view.getUint8(INFO_OFFSET + 4) < HASH_VERSIONS &&
    view.getUint8(INFO_OFFSET + 5) === INFO_BYTES &&
    view.getUint8(INFO_OFFSET + 6) <= LEVELS_MAX_LARGE &&
    view.getUint8(INFO_OFFSET + 7) === 0 &&
    view.getUint16(ROOT_START, true) === roomFor(volume, ROOT_START)
  );
}

export function hashVersionOf(root: DataView): number {
  return root.getUint8(INFO_OFFSET + 4);
}

/** The number of levels of nodes below the root. */
export function levelsOf(root: DataView): number {
  return root.getUint8(INFO_OFFSET + 6);
}

export function setLevels(root: DataView, levels: number): void {
  root.setUint8(INFO_OFFSET + 6, levels);
}

/** The number of entries for which a node with entries from `start` on has room. */
export function roomFor(volume: Volume, start: number): number {
  const tail = volume.superblock.checksums ? INDEX_TAIL_BYTES : 0;
  return Math.floor((volume.blockSizeBytes - start - tail) / ENTRY_BYTES);
}

export function countOf(view: DataView, start: number): number {
  return view.getUint16(start + 2, true);
}

export function hashAt(view: DataView, start: number, index: number): number {
  return index === 0 ? 0 : view.getUint32(start + index * ENTRY_BYTES, true);
}

export function logicalOf(view: DataView, start: number, index: number): number {
  return view.getUint32(start + index * ENTRY_BYTES + 4, true) & BLOCK_MASK;
}

/** The index of the entry for the (first) block that has the names with that hash. */
export function searchHash(view: DataView, start: number, hash: number): number {
  let low = 1;
  let high = countOf(view, start);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (hashAt(view, start, middle) > hash) high = middle;
    else low = middle + 1;
  }
  return low - 1;
}

export function hashEntriesOf(view: DataView, start: number): HashEntry[] {
  return Array.from({ length: countOf(view, start) }, (_unused, index) => ({
    hash: hashAt(view, start, index),
    logical: logicalOf(view, start, index),
  }));
}

export function writeHashEntries(
  volume: Volume,
  view: DataView,
  start: number,
  entries: readonly HashEntry[],
): void {
  for (const [index, { hash, logical }] of entries.entries()) {
    if (index > 0) view.setUint32(start + index * ENTRY_BYTES, hash, true);
    view.setUint32(start + index * ENTRY_BYTES + 4, logical, true);
  }
  view.setUint16(start, roomFor(volume, start), true);
  view.setUint16(start + 2, entries.length, true);
}

/** Makes a block a node of the tree, with these entries. */
export function writeHashNode(volume: Volume, bytes: Uint8Array, entries: readonly HashEntry[]): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  bytes.fill(0);
  view.setUint16(4, encodedLength(volume.blockSizeBytes), true);
  writeHashEntries(volume, view, NODE_START, entries);
  return NODE_START;
}

/** Makes the first block of a directory, with "." and "..", the root of a tree with one entry. */
export function writeHashRoot(volume: Volume, bytes: Uint8Array, version: number, logical: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  bytes.fill(0, INFO_OFFSET);
  view.setUint16(16, encodedLength(volume.blockSizeBytes - 12), true);
  view.setUint8(INFO_OFFSET + 4, version);
  view.setUint8(INFO_OFFSET + 5, INFO_BYTES);
  writeHashEntries(volume, view, ROOT_START, [{ hash: 0, logical }]);
  return ROOT_START;
}

function encodedLength(length: number): number {
  return length === 65_536 ? 65_535 : length;
}
