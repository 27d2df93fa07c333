import type { BlockBuffer } from '../buffer/block-buffer.ts';
import type { IndexOwner, IndexStore } from '../index/index-store.ts';
import { hashName, NameTable, type TableCursor } from '../index/name-table.ts';
import { type DirectoryPieces, isEntry } from './directory-pieces.ts';
import { RECORD_HEADER_BYTES } from './directory-record.ts';

/**
 * The index of a directory of several fragments, kept in memory so that neither looking up nor
 * adding slows down as it grows: it knows where each name may be, and how much room each fragment
 * has. It may lose its memory to another directory's index at any time. A place is the byte of the
 * directory at which a record begins.
 */
export class DirectoryIndex implements IndexOwner {
  usedAt = 0;
  readonly #store: IndexStore;
  readonly #pieces: DirectoryPieces;
  readonly #fragmentSizeBytes: number;
  #table: NameTable | undefined = new NameTable();
  #grantedBytes = 0;
  #complete = false;
  /** The largest room in each fragment. */
  readonly #room: number[] = [];

  constructor(store: IndexStore, pieces: DirectoryPieces, fragmentSizeBytes: number) {
    this.#store = store;
    this.#pieces = pieces;
    this.#fragmentSizeBytes = fragmentSizeBytes;
  }

  get usable(): boolean {
    return this.#complete && this.#table !== undefined;
  }

  get droppable(): boolean {
    return this.usable;
  }

  /** Adds the fragment at `start`. False where there is no memory for it; then it is dropped. */
  addFragment(buffer: BlockBuffer, start: number): boolean {
    const stopped = this.#pieces.walk(buffer, start, (record) => {
      if (!isEntry(record)) return false;
      const from = record.offset + RECORD_HEADER_BYTES;
      const hash = hashName(buffer.bytes, from, from + record.nameLength, this.#store.seed);
      return !this.#add(hash, start + record.offset);
    });
    this.updateRoom(buffer, start);
    return stopped < 0;
  }

  /** Says that every fragment was added. */
  complete(): void {
    this.#complete = true;
    this.touch();
  }

  touch(): void {
    this.usedAt = this.#store.tick();
  }

  /** The next place where the name may be, with the same cursor; -1 at the end. */
  candidate(name: Uint8Array, cursor: TableCursor): number {
    const position = this.#table?.find(this.#hash(name), cursor) ?? -1;
    return position < 0 ? -1 : position * 4;
  }

  add(name: Uint8Array, place: number): void {
    this.#add(this.#hash(name), place);
  }

  remove(name: Uint8Array, place: number): void {
    this.#table?.remove(this.#hash(name), place / 4);
  }

  /** The largest room in the fragment at `start`. */
  roomAt(start: number): number {
    return this.#room[start / this.#fragmentSizeBytes] ?? 0;
  }

  updateRoom(buffer: BlockBuffer, start: number): void {
    this.#room[start / this.#fragmentSizeBytes] = this.#pieces.largestRoom(buffer, start);
  }

  drop(): void {
    this.#table = undefined;
    this.#store.giveBack(this, this.#grantedBytes);
    this.#grantedBytes = 0;
  }

  #add(hash: number, place: number): boolean {
    if (this.#table === undefined) return false;
    const more = this.#table.bytesWithOneMore - this.#grantedBytes;
    if (more > 0 && !this.#store.grant(this, more)) {
      this.drop();
      return false;
    }
    this.#grantedBytes += Math.max(0, more);
    this.#table.add(hash, place / 4);
    return true;
  }

  #hash(name: Uint8Array): number {
    return hashName(name, 0, name.length, this.#store.seed);
  }
}
