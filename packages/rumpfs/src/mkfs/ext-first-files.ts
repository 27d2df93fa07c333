/** The files of a new ext2: the root directory, `lost+found`, and the one of reserved blocks. */
import type { ExtGeometry } from './ext-geometry.ts';

/** The first inode that is not reserved. */
export const FIRST_INODE = 11;
export const LOST_INODE = 11;
const ROOT_INODE = 2;
const RESIZE_INODE = 7;
const DIRECTORY_MODE = 0o040000;
const FILE_MODE = 0o100000;
const SECTOR_BYTES = 512;
const POINTERS_AT = 40;
const DOUBLE_POINTER = 13;
const DIRECT_POINTERS = 12;
const EXTRA_AT = 128;
const EXTRA_BYTES = 32;
const TYPE_DIRECTORY = 2;

/** Where the files' blocks are. */
export interface Placed {
  readonly root: number;
  readonly lost: number;
  readonly lostBlocks: number;
  /** The block that leads to the reserved ones. */
  readonly resize: number;
}

interface Inode {
  readonly number: number;
  readonly mode: number;
  readonly sizeBytes: number;
  readonly links: number;
  readonly blocks: number;
  readonly pointers: readonly (readonly [number, number])[];
}

/** The inodes from the first to that of `lost+found`. */
export function firstInodes(
  geometry: ExtGeometry,
  placed: Placed,
  seconds: number,
  backups: number,
): Uint8Array {
  const { blockBytes, inodeBytes, reservedDescriptorBlocks } = geometry;
  const bytes = new Uint8Array(LOST_INODE * inodeBytes);
  const pointers = blockBytes / 4;
  const inodes: readonly Inode[] = [
    {
      number: ROOT_INODE,
      mode: DIRECTORY_MODE | 0o755,
      sizeBytes: blockBytes,
      links: 3,
      blocks: 1,
      pointers: [[0, placed.root]],
    },
    {
      number: RESIZE_INODE,
      mode: FILE_MODE | 0o600,
      sizeBytes: (DIRECT_POINTERS + pointers + pointers * pointers) * blockBytes,
      links: 1,
      blocks: 1 + reservedDescriptorBlocks * (1 + backups),
      pointers: [[DOUBLE_POINTER, placed.resize]],
    },
    {
      number: LOST_INODE,
      mode: DIRECTORY_MODE | 0o700,
      sizeBytes: placed.lostBlocks * blockBytes,
      links: 2,
      blocks: placed.lostBlocks,
      pointers: Array.from(
        { length: placed.lostBlocks },
        (_, index) => [index, placed.lost + index] as const,
      ),
    },
  ];
  for (const inode of inodes) {
    const at = (inode.number - 1) * inodeBytes;
    writeInode(new DataView(bytes.buffer, at, inodeBytes), inode, seconds, blockBytes / SECTOR_BYTES);
  }
  return bytes;
}

function writeInode(view: DataView, inode: Inode, seconds: number, sectorsPerBlock: number): void {
  view.setUint16(0, inode.mode, true);
  view.setUint32(4, inode.sizeBytes % 2 ** 32, true);
  for (const at of [8, 12, 16]) view.setUint32(at, seconds, true);
  view.setUint16(26, inode.links, true);
  view.setUint32(28, inode.blocks * sectorsPerBlock, true);
  for (const [index, block] of inode.pointers) view.setUint32(POINTERS_AT + index * 4, block, true);
  view.setUint32(108, Math.floor(inode.sizeBytes / 2 ** 32), true);
  if (view.byteLength <= EXTRA_AT) return;
  view.setUint16(EXTRA_AT, EXTRA_BYTES, true);
  view.setUint32(EXTRA_AT + 16, seconds, true);
}

/** The block of the root directory, and behind it those of `lost+found`. */
export function directoryBlocks(blockBytes: number, lostBlocks: number): Uint8Array {
  const bytes = new Uint8Array((1 + lostBlocks) * blockBytes);
  const root = new DataView(bytes.buffer, 0, blockBytes);
  writeEntry(root, 0, { inode: ROOT_INODE, length: 12, name: '.' });
  writeEntry(root, 12, { inode: ROOT_INODE, length: 12, name: '..' });
  writeEntry(root, 24, { inode: LOST_INODE, length: blockBytes - 24, name: 'lost+found' });
  const lost = new DataView(bytes.buffer, blockBytes, blockBytes);
  writeEntry(lost, 0, { inode: LOST_INODE, length: 12, name: '.' });
  writeEntry(lost, 12, { inode: ROOT_INODE, length: blockBytes - 12, name: '..' });
  for (let block = 1; block < lostBlocks; block += 1) {
    const empty = new DataView(bytes.buffer, (1 + block) * blockBytes, blockBytes);
    writeEntry(empty, 0, { inode: 0, length: blockBytes, name: '' });
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
