import type { BlockBuffer } from '../buffer/block-buffer.ts';
import { DirectoryRecord, PIECE_BYTES, readRecord, RECORD_HEADER_BYTES } from './directory-record.ts';
import type { Inode } from './inode.ts';
import type { Volume } from './volume.ts';

/** Inode 1 stands for a name that hides one below, in union mounts of BSD. */
const WHITEOUT = 1;

/**
 * Walks the chains of records in one fragment of a directory. It has one record object, good until
 * the next call: a walk happens within one turn. `start` is the byte of the directory at which the
 * fragment begins.
 */
export class DirectoryPieces {
  readonly #volume: Volume;
  readonly #inode: Inode;
  readonly #record = new DirectoryRecord();

  constructor(volume: Volume, inode: Inode) {
    this.#volume = volume;
    this.#inode = inode;
  }

  /** The record at `offset` of the fragment, checked. */
  read(buffer: BlockBuffer, start: number, offset: number): DirectoryRecord {
    const piece = Math.floor(offset / PIECE_BYTES);
    const limit = (piece + 1) * PIECE_BYTES;
    const number = start / PIECE_BYTES + piece;
    readRecord(this.#volume, buffer.view, offset, limit, this.#record, this.#inode.name, number);
    return this.#record;
  }

  /**
   * Calls `visit` with every record of the fragment, from the piece at `from` on, until that
   * returns true. Returns the offset of that record, or -1.
   */
  walk(
    buffer: BlockBuffer,
    start: number,
    visit: (record: DirectoryRecord) => boolean,
    from = 0,
    end = Math.min(buffer.bytes.length, this.#inode.sizeBytes - start),
  ): number {
    for (let offset = from; offset < end; ) {
      const record = this.read(buffer, start, offset);
      const next = offset + record.length;
      if (visit(record)) return offset;
      offset = next;
    }
    return -1;
  }

  /** The offset of the record with that name; -1 where there is none. */
  find(buffer: BlockBuffer, start: number, name: Uint8Array): number {
    return this.walk(buffer, start, (record) => hasName(buffer.bytes, record, name));
  }

  /** The offset of a record with that much room; -1 where there is none. */
  findRoom(buffer: BlockBuffer, start: number, neededBytes: number): number {
    return this.walk(buffer, start, (record) => record.room >= neededBytes);
  }

  largestRoom(buffer: BlockBuffer, start: number): number {
    let largest = 0;
    this.walk(buffer, start, (record) => {
      largest = Math.max(largest, record.room);
      return false;
    });
    return largest;
  }
}

/** Whether a record leads to a node. */
export function isEntry(record: DirectoryRecord): boolean {
  return record.inode > WHITEOUT;
}

export function hasName(bytes: Uint8Array, record: DirectoryRecord, name: Uint8Array): boolean {
  if (!isEntry(record) || record.nameLength !== name.length) return false;
  const start = record.offset + RECORD_HEADER_BYTES;
  for (let index = 0; index < name.length; index += 1) {
    if (bytes[start + index] !== name[index]) return false;
  }
  return true;
}
