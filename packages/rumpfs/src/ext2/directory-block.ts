import type { BlockBuffer } from '../buffer/block-buffer.ts';
import { DirectoryRecord, readRecord, RECORD_HEADER_BYTES } from './directory-record.ts';
import type { Volume } from './volume.ts';

/**
 * Walks the chain of records in one block of a directory. It has one record object, good until the
 * next call: a walk happens within one turn.
 */
export class DirectoryBlocks {
  readonly #volume: Volume;
  readonly #owner: string;
  readonly #record = new DirectoryRecord();

  /** @param owner the directory's name in messages */
  constructor(volume: Volume, owner: string) {
    this.#volume = volume;
    this.#owner = owner;
  }

  /** The record at `offset` of the block, checked. */
  read(buffer: BlockBuffer, logical: number, offset: number): DirectoryRecord {
    readRecord(this.#volume, buffer.view, offset, this.#record, this.#owner, logical);
    return this.#record;
  }

  /**
   * Calls `visit` with every record until that returns true. Returns the offset of that record, or
   * -1.
   */
  walk(buffer: BlockBuffer, logical: number, visit: (record: DirectoryRecord) => boolean): number {
    for (let offset = 0; offset < this.#volume.blockSizeBytes; ) {
      const record = this.read(buffer, logical, offset);
      const next = offset + record.length;
      if (visit(record)) return offset;
      offset = next;
    }
    return -1;
  }

  /** The offset of the record with that name; -1 where there is none. */
  find(buffer: BlockBuffer, logical: number, name: Uint8Array): number {
    return this.walk(buffer, logical, (record) => hasName(buffer.bytes, record, name));
  }

  /** The offset of a record with that much room; -1 where there is none. */
  findRoom(buffer: BlockBuffer, logical: number, neededBytes: number): number {
    return this.walk(buffer, logical, (record) => record.room >= neededBytes);
  }

  largestRoom(buffer: BlockBuffer, logical: number): number {
    let largest = 0;
    this.walk(buffer, logical, (record) => {
      largest = Math.max(largest, record.room);
      return false;
    });
    return largest;
  }
}

export function hasName(bytes: Uint8Array, record: DirectoryRecord, name: Uint8Array): boolean {
  if (record.inode === 0 || record.nameLength !== name.length) return false;
  const start = record.offset + RECORD_HEADER_BYTES;
  for (let index = 0; index < name.length; index += 1) {
    if (bytes[start + index] !== name[index]) return false;
  }
  return true;
}
