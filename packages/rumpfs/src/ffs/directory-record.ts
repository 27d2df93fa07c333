import type { NodeType } from '../vnode/attributes.ts';
import { ROOT_INODE, type Superblock } from './superblock.ts';
import type { Volume } from './volume.ts';

/**
 * A directory is a file of pieces of 512 bytes, each filled by a chain of records, from the first
 * byte to the last; so no record crosses from one piece into another:
 *
 *     0 inode (0: the record is free) · 4 length of the record · 6 type · 7 length of the name · 8 name
 *     · a zero byte
 *
 * A record's length is a multiple of four and may have room behind its name. Before 4.4BSD there
 * was no type, and the length of the name was a number of 16 bits: in little-endian its lower byte
 * is where the type is now, in big-endian where the length is.
 */
export const PIECE_BYTES = 512;
export const RECORD_HEADER_BYTES = 8;
export const NAME_BYTES_MAX = 255;

const TYPES: Readonly<Record<number, NodeType>> = {
  1: 'fifo',
  2: 'character-device',
  4: 'directory',
  6: 'block-device',
  8: 'file',
  10: 'symlink',
  12: 'socket',
};

const CODES: Readonly<Record<NodeType, number>> = {
  fifo: 1,
  'character-device': 2,
  directory: 4,
  'block-device': 6,
  file: 8,
  symlink: 10,
  socket: 12,
};

/** One record of a piece. Filled in by `readRecord`; its offset is that in the fragment. */
export class DirectoryRecord {
  offset = 0;
  inode = 0;
  length = 0;
  nameLength = 0;
  /** The type of the node; undefined where the record does not say it. */
  type: NodeType | undefined = undefined;

  /** The bytes that the record needs for itself. */
  get used(): number {
    return this.inode === 0 ? 0 : bytesFor(this.nameLength);
  }

  get room(): number {
    return this.length - this.used;
  }
}

/** The bytes of a record for a name of that length. */
export function bytesFor(nameLength: number): number {
  return (RECORD_HEADER_BYTES + nameLength + 1 + 3) & ~3;
}

/**
 * Reads and checks the record at `offset` of a fragment, in the piece that ends at `limit`; owner
 * and piece are for the message of `Corrupt`.
 */
export function readRecord(
  volume: Volume,
  view: DataView,
  offset: number,
  limit: number,
  record: DirectoryRecord,
  owner: string,
  piece: number,
): void {
  const { superblock } = volume;
  const wrong = (what: string): Error =>
    volume.corrupt(`${owner}: directory piece ${piece}: record at ${offset % PIECE_BYTES} ${what}`);
  if (offset + RECORD_HEADER_BYTES > limit) throw wrong('does not fit into its piece');
  record.offset = offset;
  record.inode = view.getUint32(offset, superblock.littleEndian);
  record.length = view.getUint16(offset + 4, superblock.littleEndian);
  record.type = superblock.oldInodes ? undefined : TYPES[view.getUint8(offset + 6)];
  record.nameLength = view.getUint8(offset + (superblock.oldInodes && superblock.littleEndian ? 6 : 7));
  if (record.length < RECORD_HEADER_BYTES + 4 || record.length % 4 !== 0)
    throw wrong(`has length ${record.length}`);
  if (offset + record.length > limit) throw wrong(`reaches past its piece with length ${record.length}`);
  if (record.inode === 0) return;
  if (record.nameLength === 0) throw wrong('has no name');
  if (bytesFor(record.nameLength) > record.length) throw wrong('is shorter than its name');
  if (record.inode >= superblock.inodes || (record.inode < ROOT_INODE && record.inode !== 1))
    throw wrong(`names inode ${record.inode} of ${superblock.inodes}`);
}

/** Writes a whole record; with an empty name and inode 0 it is a free one. */
export function writeRecord(
  superblock: Superblock,
  bytes: Uint8Array,
  offset: number,
  length: number,
  entry: { readonly inode: number; readonly name: Uint8Array; readonly type: NodeType | undefined },
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint32(offset, entry.inode, superblock.littleEndian);
  view.setUint16(offset + 4, length, superblock.littleEndian);
  view.setUint8(offset + 6, entry.type === undefined ? 0 : CODES[entry.type]);
  view.setUint8(offset + 7, entry.name.length);
  const start = offset + RECORD_HEADER_BYTES;
  bytes.set(entry.name, start);
  const end = offset + Math.min(length, bytesFor(entry.name.length));
  bytes.fill(0, start + entry.name.length, end);
}

export function setRecordLength(
  superblock: Superblock,
  view: DataView,
  offset: number,
  length: number,
): void {
  view.setUint16(offset + 4, length, superblock.littleEndian);
}

/** Points an entry to another node. */
export function setRecordTarget(
  superblock: Superblock,
  view: DataView,
  offset: number,
  inode: number,
  type: NodeType,
): void {
  view.setUint32(offset, inode, superblock.littleEndian);
  view.setUint8(offset + 6, CODES[type]);
}
