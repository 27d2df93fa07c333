/**
 * The files of a new ext2, ext3 or ext4: the root directory, `lost+found`, the one of reserved
 * blocks, and the journal.
 */
import type { ExtChecksums } from './ext-checksums.ts';
import { TAIL_BYTES } from './ext-checksums.ts';
import { extentMap, type FileMap, pointerMap } from './ext-file-map.ts';
import type { ExtGeometry } from './ext-geometry.ts';
import { numbersOf, type Placed } from './ext-plan.ts';

/** The first inode that is not reserved. */
export const FIRST_INODE = 11;
export const LOST_INODE = 11;
export const JOURNAL_INODE = 8;
const ROOT_INODE = 2;
const RESIZE_INODE = 7;
const DIRECTORY_MODE = 0o040000;
const FILE_MODE = 0o100000;
const EXTENTS_FLAG = 0x8_0000;
const SECTOR_BYTES = 512;
const MAP_AT = 40;
const DOUBLE_POINTER = 13;
const DIRECT_POINTERS = 12;
const EXTRA_AT = 128;
const EXTRA_BYTES = 32;
const TYPE_DIRECTORY = 2;

/** How the first files are written. */
export interface FirstFilesParts {
  readonly geometry: ExtGeometry;
  readonly placed: Placed;
  readonly seconds: number;
  /** The number of groups with copies of the descriptors, besides the first. */
  readonly backups: number;
  /** Undefined where the kind has none. */
  readonly checksums: ExtChecksums | undefined;
}

/** The inodes, and the blocks that lead to their data. */
export interface FirstFiles {
  /** From the first inode to that of `lost+found`. */
  readonly inodes: Uint8Array;
  readonly mapBlocks: FileMap['blocks'];
  /** The map and the size of the journal, of which the superblock has a copy. */
  readonly journalMap: Uint8Array | undefined;
}

interface Inode {
  readonly number: number;
  readonly mode: number;
  readonly sizeBytes: number;
  readonly links: number;
  readonly blocks: number;
  readonly map: FileMap;
  readonly extents: boolean;
}

/** Makes the inodes. */
export function firstFiles(parts: FirstFilesParts): FirstFiles {
  const { geometry, placed, seconds, checksums } = parts;
  const { blockBytes, inodeBytes } = geometry;
  const all = [
    directory(parts, ROOT_INODE, { mode: 0o755, links: 3, start: placed.root, count: 1 }),
    directory(parts, LOST_INODE, { mode: 0o700, links: 2, start: placed.lost, count: placed.lostBlocks }),
    ...(placed.resize === undefined ? [] : [resizeInode(parts, placed.resize)]),
  ];
  const journal = journalInode(parts);
  if (journal !== undefined) all.push(journal);
  const bytes = new Uint8Array(LOST_INODE * inodeBytes);
  for (const inode of all) {
    const view = new DataView(bytes.buffer, (inode.number - 1) * inodeBytes, inodeBytes);
    writeInode(view, inode, seconds, blockBytes / SECTOR_BYTES);
    checksums?.inode(view, inode.number);
  }
  return {
    inodes: bytes,
    mapBlocks: all.flatMap(({ map }) => map.blocks),
    journalMap: journal?.map.bytes,
  };
}

function directory(
  { geometry, checksums }: FirstFilesParts,
  number: number,
  { mode, links, start, count }: { mode: number; links: number; start: number; count: number },
): Inode {
  const { blockBytes } = geometry;
  const map =
    checksums === undefined
      ? pointerMap(numbersOf([{ start, count }]), [], blockBytes)
      : extentMap([{ start, count }], 0, { inode: number, blockBytes, checksums });
  const sizeBytes = count * blockBytes;
  return {
    number,
    mode: DIRECTORY_MODE | mode,
    sizeBytes,
    links,
    blocks: count,
    map,
    extents: checksums !== undefined,
  };
}

function resizeInode({ geometry, backups }: FirstFilesParts, place: number): Inode {
  const { blockBytes, reservedDescriptorBlocks } = geometry;
  const pointers = blockBytes / 4;
  const map = new DataView(new ArrayBuffer(60));
  map.setUint32(DOUBLE_POINTER * 4, place, true);
  return {
    number: RESIZE_INODE,
    mode: FILE_MODE | 0o600,
    sizeBytes: (DIRECT_POINTERS + pointers + pointers * pointers) * blockBytes,
    links: 1,
    blocks: 1 + reservedDescriptorBlocks * (1 + backups),
    map: { bytes: new Uint8Array(map.buffer), blocks: [] },
    extents: false,
  };
}

function journalInode({ geometry, placed, checksums }: FirstFilesParts): Inode | undefined {
  const { journal } = placed;
  if (journal === undefined) return undefined;
  const { blockBytes } = geometry;
  const [leaf = 0] = journal.map;
  const map =
    checksums === undefined
      ? pointerMap(numbersOf(journal.runs), journal.map, blockBytes)
      : extentMap(journal.runs, leaf, { inode: JOURNAL_INODE, blockBytes, checksums });
  return {
    number: JOURNAL_INODE,
    mode: FILE_MODE | 0o600,
    sizeBytes: journal.blocks * blockBytes,
    links: 1,
    blocks: journal.blocks + journal.map.length,
    map,
    extents: checksums !== undefined,
  };
}

function writeInode(view: DataView, inode: Inode, seconds: number, sectorsPerBlock: number): void {
  view.setUint16(0, inode.mode, true);
  view.setUint32(4, inode.sizeBytes % 2 ** 32, true);
  for (const at of [8, 12, 16]) view.setUint32(at, seconds, true);
  view.setUint16(26, inode.links, true);
  view.setUint32(28, inode.blocks * sectorsPerBlock, true);
  if (inode.extents) view.setUint32(32, EXTENTS_FLAG, true);
  new Uint8Array(view.buffer, view.byteOffset).set(inode.map.bytes, MAP_AT);
  view.setUint32(108, Math.floor(inode.sizeBytes / 2 ** 32), true);
  if (view.byteLength <= EXTRA_AT) return;
  view.setUint16(EXTRA_AT, EXTRA_BYTES, true);
  view.setUint32(EXTRA_AT + 16, seconds, true);
}

/** The block of the root directory, and behind it those of `lost+found`. */
export function directoryBlocks({ geometry, placed, checksums }: FirstFilesParts): Uint8Array {
  const { blockBytes } = geometry;
  const bytes = new Uint8Array((1 + placed.lostBlocks) * blockBytes);
  const end = checksums === undefined ? blockBytes : blockBytes - TAIL_BYTES;
  const root = new DataView(bytes.buffer, 0, blockBytes);
  writeEntry(root, 0, { inode: ROOT_INODE, length: 12, name: '.' });
  writeEntry(root, 12, { inode: ROOT_INODE, length: 12, name: '..' });
  writeEntry(root, 24, { inode: LOST_INODE, length: end - 24, name: 'lost+found' });
  checksums?.directoryTail(root, ROOT_INODE);
  for (let block = 0; block < placed.lostBlocks; block += 1) {
    const view = new DataView(bytes.buffer, (1 + block) * blockBytes, blockBytes);
    if (block === 0) {
      writeEntry(view, 0, { inode: LOST_INODE, length: 12, name: '.' });
      writeEntry(view, 12, { inode: ROOT_INODE, length: end - 12, name: '..' });
    } else {
      writeEntry(view, 0, { inode: 0, length: end, name: '' });
    }
    checksums?.directoryTail(view, LOST_INODE);
  }
  return bytes;
}

function writeEntry(
  view: DataView,
  at: number,
  { inode, length, name }: { readonly inode: number; readonly length: number; readonly name: string },
): void {
  view.setUint32(at, inode, true);
  // A block of 64 KiB is one more than the field holds; the format writes 65535 for that.
  view.setUint16(at + 4, Math.min(length, 0xffff), true);
  view.setUint8(at + 6, name.length);
  view.setUint8(at + 7, inode === 0 ? 0 : TYPE_DIRECTORY);
  new Uint8Array(view.buffer, view.byteOffset + at + 8).set(new TextEncoder().encode(name));
}
