import type { BlockBuffer } from '../buffer/block-buffer.ts';
import { entryBytes, verifyIndex, verifyLeaf } from './directory-checksum.ts';
import { DirectoryRecord, readRecord, RECORD_HEADER_BYTES } from './directory-record.ts';
import { indexStart } from './hash-node.ts';
import { type Inode, INODE_FLAG } from './inode.ts';
import type { Volume } from './volume.ts';

/**
 * Walks the chain of records in one block of a directory. It has one record object, good until the
 * next call: a walk happens within one turn.
 */
export class DirectoryBlocks {
  readonly #volume: Volume;
  readonly #inode: Inode;
  readonly #entryBytes: number;
  readonly #record = new DirectoryRecord();

  constructor(volume: Volume, inode: Inode) {
    this.#volume = volume;
    this.#inode = inode;
    this.#entryBytes = entryBytes(volume);
  }

  /** The record at `offset` of the block, checked. */
  read(buffer: BlockBuffer, logical: number, offset: number): DirectoryRecord {
    return this.#read(buffer, logical, offset, this.#limit(buffer, logical));
  }

  /**
   * Calls `visit` with every record until that returns true. Returns the offset of that record, or
   * -1.
   */
  walk(buffer: BlockBuffer, logical: number, visit: (record: DirectoryRecord) => boolean): number {
    const limit = this.#limit(buffer, logical);
    for (let offset = 0; offset < limit; ) {
      const record = this.#read(buffer, logical, offset, limit);
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

  #read(buffer: BlockBuffer, logical: number, offset: number, limit: number): DirectoryRecord {
    readRecord(this.#volume, buffer.view, offset, limit, this.#record, this.#inode.name, logical);
    return this.#record;
  }

  /** Checks the block's checksum if it has to be, and returns where its records end. */
  #limit(buffer: BlockBuffer, logical: number): number {
    if (this.#entryBytes === this.#volume.blockSizeBytes) return this.#entryBytes;
    const indexed = (this.#inode.flags & INODE_FLAG.directoryIndex) !== 0;
    const start = indexed ? indexStart(this.#volume, buffer.view, logical) : 0;
    if (start > 0) {
      verifyIndex(this.#volume, this.#inode, buffer, logical, start);
      return this.#volume.blockSizeBytes;
    }
    verifyLeaf(this.#volume, this.#inode, buffer, logical);
    return this.#entryBytes;
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
