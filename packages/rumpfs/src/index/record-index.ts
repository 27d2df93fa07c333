import type { BlockBuffer } from '../buffer/block-buffer.ts';
import type { IndexOwner, IndexStore } from './index-store.ts';
import type { MadeIndex } from './lazy-index.ts';
import { hashName, NameTable, type TableCursor } from './name-table.ts';

/** Records begin at multiples of this many bytes. */
const RECORD_UNIT_BYTES = 4;

/**
 * The index in memory of a directory of records, so that neither looking up nor adding slows down
 * as it grows: it knows where each name may be, and how much room each buffer of the directory has.
 * A place is the byte of the directory at which a record begins. Once it is complete, it may lose
 * its memory to another directory's index at any time.
 */
export class RecordIndex implements IndexOwner, MadeIndex {
  usedAt = 0;
  readonly #store: IndexStore;
  readonly #bufferBytes: number;
  #table: NameTable | undefined = new NameTable();
  #grantedBytes = 0;
  #complete = false;
  /** The largest room in each buffer. */
  readonly #room: number[] = [];

  constructor(store: IndexStore, bufferBytes: number) {
    this.#store = store;
    this.#bufferBytes = bufferBytes;
  }

  get usable(): boolean {
    return this.#complete && this.#table !== undefined;
  }

  get droppable(): boolean {
    return this.usable;
  }

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
    return position < 0 ? -1 : position * RECORD_UNIT_BYTES;
  }

  /** Adds a name. False when there is no memory for it; then the index is dropped. */
  add(name: Uint8Array, place: number): boolean {
    return this.#add(this.#hash(name), place);
  }

  /** `add` for a name that stands in a buffer. */
  addFrom({ bytes }: BlockBuffer, nameStart: number, nameEnd: number, place: number): boolean {
    return this.#add(hashName(bytes, nameStart, nameEnd, this.#store.seed), place);
  }

  remove(name: Uint8Array, place: number): void {
    this.#table?.remove(this.#hash(name), place / RECORD_UNIT_BYTES);
  }

  /** The largest room in the buffer that begins at byte `start` of the directory. */
  roomAt(start: number): number {
    return this.#room[start / this.#bufferBytes] ?? 0;
  }

  setRoom(start: number, roomBytes: number): void {
    this.#room[start / this.#bufferBytes] = roomBytes;
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
    this.#table.add(hash, place / RECORD_UNIT_BYTES);
    return true;
  }

  #hash(name: Uint8Array): number {
    return hashName(name, 0, name.length, this.#store.seed);
  }
}
