/** The records of a transaction, as blocks of the log. */
import type { LoggedBlock } from '../buffer/metadata-log.ts';
import { LOG_SECTOR_BYTES, LOG_TYPE, type LogForm } from './log-header.ts';

const LIST_AT = 16;
const PLACE_BYTES = 16;
const INODE_BYTES = 8;

/** Bytes of the device. */
export interface LoggedPlace {
  readonly at: number;
  readonly lengthBytes: number;
}

/** An inode that is in use, but has no name. */
export interface UnnamedInode {
  readonly id: number;
  readonly mode: number;
}

/** What becomes durable together. */
export interface LoggedChange {
  readonly blocks: readonly LoggedBlock[];
  /** What earlier records have of these is void. */
  readonly revoked: readonly LoggedPlace[];
  /** All inodes that are in use without a name from now on. */
  readonly unnamed: readonly UnnamedInode[];
}

/** Makes records of a log. */
export class LogRecords {
  readonly #form: LogForm;
  readonly #unitBytes: number;

  /** @param unitBytes the bytes of what a block is numbered by */
  constructor(form: LogForm, unitBytes: number) {
    this.#form = form;
    this.#unitBytes = unitBytes;
  }

  /** The number of items in one record of a list. */
  static itemsPerRecord(blockBytes: number, list: 'places' | 'inodes'): number {
    return Math.floor((blockBytes - LIST_AT) / (list === 'places' ? PLACE_BYTES : INODE_BYTES));
  }

  /**
   * The records of a change in the order in which they count, in whole blocks of the log: contents,
   * revocations, and the list of inodes, which is always there.
   */
  of({ blocks, revoked, unnamed }: LoggedChange): Uint8Array[] {
    return [...this.#contents(blocks), ...this.#revocations(revoked), ...this.inodes(unnamed)];
  }

  /** The list of inodes. */
  inodes(unnamed: readonly UnnamedInode[]): Uint8Array[] {
    const records: Uint8Array[] = [];
    const { littleEndian } = this.#form;
    for (const [index, part] of partsOf(unnamed, this.#per('inodes')).entries()) {
      const { bytes, view } = this.#list(LOG_TYPE.inodes, part.length, 0);
      // The first of them makes earlier lists void.
      view.setUint32(12, index === 0 ? 1 : 0, littleEndian);
      for (const [item, { id, mode }] of part.entries()) {
        view.setUint32(LIST_AT + item * INODE_BYTES, id, littleEndian);
        view.setUint32(LIST_AT + item * INODE_BYTES + 4, mode, littleEndian);
      }
      records.push(bytes);
    }
    return records;
  }

  #contents(blocks: readonly LoggedBlock[]): Uint8Array[] {
    const parts: Uint8Array[] = [];
    if (blocks.length === 0) return parts;
    for (const part of partsOf(blocks, this.#per('places'))) {
      const contents = part.reduce((sum, { bytes }) => sum + bytes.length, 0);
      const padding = -contents & (this.#form.place.blockBytes - 1);
      const { bytes, view } = this.#list(LOG_TYPE.blocks, part.length, contents + padding);
      for (const [index, { block, bytes: own }] of part.entries())
        this.#putPlace(view, index, { at: block * this.#unitBytes, lengthBytes: own.length });
      parts.push(bytes, ...part.map(({ bytes: own }) => own));
      if (padding > 0) parts.push(new Uint8Array(padding));
    }
    return parts;
  }

  #revocations(revoked: readonly LoggedPlace[]): Uint8Array[] {
    if (revoked.length === 0) return [];
    return partsOf(revoked, this.#per('places')).map((part) => {
      const { bytes, view } = this.#list(LOG_TYPE.revocations, part.length, 0);
      for (const [index, place] of part.entries()) this.#putPlace(view, index, place);
      return bytes;
    });
  }

  #putPlace(view: DataView, index: number, { at, lengthBytes }: LoggedPlace): void {
    const { littleEndian } = this.#form;
    const offset = LIST_AT + index * PLACE_BYTES;
    view.setBigInt64(offset, BigInt(at / LOG_SECTOR_BYTES), littleEndian);
    view.setUint32(offset + 12, lengthBytes, littleEndian);
  }

  /** The block that begins a record. */
  #list(type: number, count: number, contentsBytes: number): { bytes: Uint8Array; view: DataView } {
    const { place, littleEndian } = this.#form;
    const bytes = new Uint8Array(place.blockBytes);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, type, littleEndian);
    view.setUint32(4, place.blockBytes + contentsBytes, littleEndian);
    view.setUint32(8, count, littleEndian);
    return { bytes, view };
  }

  #per(list: 'places' | 'inodes'): number {
    return LogRecords.itemsPerRecord(this.#form.place.blockBytes, list);
  }
}

/** A list in parts of at most so many items; at least one part. */
function partsOf<Item>(items: readonly Item[], most: number): (readonly Item[])[] {
  const parts: (readonly Item[])[] = [];
  for (let from = 0; from === 0 || from < items.length; from += most)
    parts.push(items.slice(from, from + most));
  return parts;
}
