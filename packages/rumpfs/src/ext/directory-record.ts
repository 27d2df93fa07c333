import type { NodeType } from '../vnode/attributes.ts';
import type { Volume } from './volume.ts';

/**
 * A directory is a file whose blocks are each filled by a chain of records, from the first byte to
 * the last:
 *
 *     0 inode (0: the record is free) · 4 length of the record · 6 length of the name · 7 type · 8 name
 *
 * A record's length is a multiple of four and reaches to the next record, so it may have room
 * behind its name. With 64 KiB blocks a length of 65536 is written as 65535 or 0. Without the
 * filetype feature the type says nothing, whatever it is: an image that had the feature once still
 * has it. A hash-tree directory hides its tree in records that look free to whoever follows the
 * chains.
 *
 * Source: as `superblock.ts`.
 */
export const RECORD_HEADER_BYTES = 8;
export const NAME_BYTES_MAX = 255;

/** The place of a record: a block of the directory, and a byte of that. */
export interface RecordPlace {
  readonly logical: number;
  readonly offset: number;
}

const typeCodes: readonly (NodeType | undefined)[] = [
  undefined,
  'file',
  'directory',
  'character-device',
  'block-device',
  'fifo',
  'socket',
  'symlink',
];

/** One record of a block. Filled in by `readRecord`. */
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
  return (RECORD_HEADER_BYTES + nameLength + 3) & ~3;
}

/**
 * Reads and checks the record at `offset` of a directory's block, whose records end at `limit`;
 * owner and logical block are for the message of `Corrupt`.
 */
export function readRecord(
  volume: Volume,
  view: DataView,
  offset: number,
  limit: number,
  record: DirectoryRecord,
  owner: string,
  logical: number,
): void {
  const blockSize = volume.blockSizeBytes;
  const wrong = (what: string): Error =>
    volume.corrupt(`${owner}: directory block ${logical}: record at ${offset} ${what}`);
  if (offset + RECORD_HEADER_BYTES > limit) throw wrong('does not fit into its block');
  const rawLength = view.getUint16(offset + 4, true);
  record.offset = offset;
  record.inode = view.getUint32(offset, true);
  record.length = decodeLength(rawLength, blockSize);
  record.nameLength = view.getUint8(offset + 6);
  record.type = volume.entriesHaveTypes ? typeCodes[view.getUint8(offset + 7)] : undefined;
  if (record.length < RECORD_HEADER_BYTES + 4 || record.length % 4 !== 0) {
    throw wrong(`has length ${record.length}`);
  }
  if (offset + record.length > limit) throw wrong(`reaches past the block with length ${record.length}`);
  if (record.inode === 0) return;
  if (record.nameLength === 0) throw wrong('has no name');
  if (bytesFor(record.nameLength) > record.length) throw wrong('is shorter than its name');
  if (record.inode > volume.superblock.inodesCount)
    throw wrong(`names inode ${record.inode} beyond the last one`);
}

/** Writes a whole record; with an empty name and inode 0 it is a free one. */
export function writeRecord(
  volume: Volume,
  bytes: Uint8Array,
  offset: number,
  length: number,
  entry: { readonly inode: number; readonly name: Uint8Array; readonly type: NodeType | undefined },
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint32(offset, entry.inode, true);
  setRecordLength(volume, view, offset, length);
  view.setUint8(offset + 6, entry.name.length);
  view.setUint8(offset + 7, typeCode(volume, entry.type));
  bytes.set(entry.name, offset + RECORD_HEADER_BYTES);
}

export function setRecordLength(volume: Volume, view: DataView, offset: number, length: number): void {
  const encoded = length === 65_536 ? 65_535 : length;
  if (encoded > volume.blockSizeBytes)
    throw new Error('rumpfs: broken invariant: a record fits into its block');
  view.setUint16(offset + 4, encoded, true);
}

/** Points an entry to another node. */
export function setRecordTarget(
  volume: Volume,
  view: DataView,
  offset: number,
  inode: number,
  type: NodeType,
): void {
  view.setUint32(offset, inode, true);
  view.setUint8(offset + 7, typeCode(volume, type));
}

function typeCode(volume: Volume, type: NodeType | undefined): number {
  return volume.entriesHaveTypes ? Math.max(0, typeCodes.indexOf(type)) : 0;
}

/** The length of a record of a block of that size. */
export function decodeLength(raw: number, blockSize: number): number {
  return blockSize === 65_536 && (raw === 65_535 || raw === 0) ? 65_536 : raw;
}
