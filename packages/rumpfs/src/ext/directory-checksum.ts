import type { BlockBuffer } from '../buffer/block-buffer.ts';
import { crc32c, crc32cOfZeros } from '../checksum/crc.ts';
import type { Inode } from './inode.ts';
import { VERIFIED } from './verified.ts';
import type { Volume } from './volume.ts';

/*
 * With metadata_csum the last twelve bytes of a block of entries look like a free record and hold a
 * checksum:
 *
 *     0 inode 0 · 4 length 12 · 6 0 · 7 type 0xde · 8 checksum
 *
 * A block of a hash tree's own has eight bytes behind the room for its entries instead: four zero
 * bytes and the checksum of what is in use.
 */
export const LEAF_TAIL_BYTES = 12;
export const INDEX_TAIL_BYTES = 8;
const TAIL_TYPE = 0xde;

/** The bytes of a block that entries may take. */
export function entryBytes(volume: Volume): number {
  return volume.superblock.checksums ? volume.blockSizeBytes - LEAF_TAIL_BYTES : volume.blockSizeBytes;
}

/** Completes a block of entries by its tail. */
export function sealLeaf(volume: Volume, inode: Inode, bytes: Uint8Array): void {
  if (!volume.superblock.checksums) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const tail = bytes.length - LEAF_TAIL_BYTES;
  view.setUint32(tail, 0, true);
  view.setUint16(tail + 4, LEAF_TAIL_BYTES, true);
  view.setUint8(tail + 6, 0);
  view.setUint8(tail + 7, TAIL_TYPE);
  view.setUint32(tail + 8, crc32c(inode.checksumSeed, bytes, 0, tail), true);
}

/** Completes a block of a hash tree whose entries begin at `start`. */
export function sealIndex(volume: Volume, inode: Inode, bytes: Uint8Array, start: number): void {
  if (!volume.superblock.checksums) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const tail = start + view.getUint16(start, true) * 8;
  view.setUint32(tail, 0, true);
  view.setUint32(tail + 4, indexChecksum(inode, view, bytes, start), true);
}

/** Checks the checksum of a block of entries, once while it is in memory. Throws `Corrupt`. */
export function verifyLeaf(volume: Volume, inode: Inode, buffer: BlockBuffer, logical: number): void {
  if (buffer.verifiedAs === VERIFIED.directory || !volume.superblock.checksums) return;
  const { view, bytes } = buffer;
  const tail = bytes.length - LEAF_TAIL_BYTES;
  const isTail = view.getUint32(tail, true) === 0 && view.getUint16(tail + 4, true) === LEAF_TAIL_BYTES;
  const right = isTail && view.getUint32(tail + 8, true) === crc32c(inode.checksumSeed, bytes, 0, tail);
  if (!right) throw volume.corrupt(`${inode.name}: directory block ${logical}: wrong checksum`);
  buffer.verifiedAs = VERIFIED.directory;
}

/** Checks the checksum of a block of a hash tree, once while it is in memory. Throws `Corrupt`. */
export function verifyIndex(
  volume: Volume,
  inode: Inode,
  buffer: BlockBuffer,
  logical: number,
  start: number,
): void {
  if (buffer.verifiedAs === VERIFIED.indexNode || !volume.superblock.checksums) return;
  const { view, bytes } = buffer;
  const tail = start + view.getUint16(start, true) * 8;
  const fits = tail + INDEX_TAIL_BYTES <= bytes.length && view.getUint16(start + 2, true) * 8 <= tail - start;
  const right = fits && view.getUint32(tail + 4, true) === indexChecksum(inode, view, bytes, start);
  if (!right) throw volume.corrupt(`${inode.name}: hash tree in directory block ${logical}: wrong checksum`);
  buffer.verifiedAs = VERIFIED.indexNode;
}

function indexChecksum(inode: Inode, view: DataView, bytes: Uint8Array, start: number): number {
  const used = start + view.getUint16(start + 2, true) * 8;
  const tail = start + view.getUint16(start, true) * 8;
  return crc32cOfZeros(crc32c(crc32c(inode.checksumSeed, bytes, 0, used), bytes, tail, tail + 4), 4);
}
