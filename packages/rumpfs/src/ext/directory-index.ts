import type { BlockBuffer } from '../buffer/block-buffer.ts';
import type { DirectoryBlocks } from './directory-block.ts';
import { RECORD_HEADER_BYTES } from './directory-record.ts';
import type { IndexOwner, IndexStore } from '../index/index-store.ts';
import { hashName, NameTable, type TableCursor } from '../index/name-table.ts';

/** The place of a record. */
export interface RecordPlace {
  readonly logical: number;
  readonly offset: number;
}

/**
 * The index of a large directory, kept in memory so that neither looking up nor adding slows down
 * as the directory grows: it knows where each name may be, and how much room each block has. It is
 * made block by block. Once it is complete, it may lose its memory to another directory's index at
 * any time.
 */
export class DirectoryIndex implements IndexOwner {
  usedAt = 0;
  readonly #store: IndexStore;
  readonly #blocks: DirectoryBlocks;
  readonly #blockSizeBytes: number;
  #table: NameTable | undefined = new NameTable();
  #grantedBytes = 0;
  #complete = false;
  /** The largest room in each block. */
  readonly #room: number[] = [];

  constructor(store: IndexStore, blocks: DirectoryBlocks, blockSizeBytes: number) {
    this.#store = store;
    this.#blocks = blocks;
    this.#blockSizeBytes = blockSizeBytes;
  }

  get usable(): boolean {
    return this.#complete && this.#table !== undefined;
  }

  get droppable(): boolean {
    return this.usable;
  }

  /** Adds the next block. False when there is no memory for it; then the index is dropped. */
  addBlock(buffer: BlockBuffer, logical: number): boolean {
    const stopped = this.#blocks.walk(buffer, logical, (record) => {
      if (record.inode === 0) return false;
      const start = record.offset + RECORD_HEADER_BYTES;
      const hash = hashName(buffer.bytes, start, start + record.nameLength, this.#store.seed);
      return !this.#add(hash, { logical, offset: record.offset });
    });
    this.updateRoom(buffer, logical);
    return stopped < 0;
  }

  /** Says that every block was added. */
  complete(): void {
    this.#complete = true;
    this.touch();
  }

  touch(): void {
    this.usedAt = this.#store.tick();
  }

  /**
   * The next place where the name may be. The caller goes on with the same cursor until the result
   * is undefined.
   */
  candidate(name: Uint8Array, cursor: TableCursor): RecordPlace | undefined {
    const position = this.#table?.find(this.#hash(name), cursor) ?? -1;
    if (position < 0) return undefined;
    const byte = position * 4;
    return { logical: Math.floor(byte / this.#blockSizeBytes), offset: byte % this.#blockSizeBytes };
  }

  add(name: Uint8Array, place: RecordPlace): void {
    this.#add(this.#hash(name), place);
  }

  remove(name: Uint8Array, place: RecordPlace): void {
    this.#table?.remove(this.#hash(name), this.#position(place));
  }

  /** The largest room in a block. */
  roomIn(logical: number): number {
    return this.#room[logical] ?? 0;
  }

  updateRoom(buffer: BlockBuffer, logical: number): void {
    this.#room[logical] = this.#blocks.largestRoom(buffer, logical);
  }

  drop(): void {
    this.#table = undefined;
    this.#store.giveBack(this, this.#grantedBytes);
    this.#grantedBytes = 0;
  }

  #add(hash: number, place: RecordPlace): boolean {
    if (this.#table === undefined) return false;
    const more = this.#table.bytesWithOneMore - this.#grantedBytes;
    if (more > 0 && !this.#store.grant(this, more)) {
      this.drop();
      return false;
    }
    this.#grantedBytes += Math.max(0, more);
    this.#table.add(hash, this.#position(place));
    return true;
  }

  #position({ logical, offset }: RecordPlace): number {
    return (logical * this.#blockSizeBytes + offset) / 4;
  }

  #hash(name: Uint8Array): number {
    return hashName(name, 0, name.length, this.#store.seed);
  }
}
