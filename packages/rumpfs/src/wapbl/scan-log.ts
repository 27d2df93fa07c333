import { FsError } from '../errors.ts';
import type { BlockIo } from '../hypercall/hypercalls.ts';
import { readBytes } from '../hypercall/read-bytes.ts';
import {
  LOG_SECTOR_BYTES,
  LOG_TYPE,
  type LogHeader,
  type LogPlace,
  type NewestHeader,
  newestHeader,
} from './log-header.ts';
import type { UnnamedInode } from './log-records.ts';

const LIST_AT = 16;
const BLOCK_BYTES = 16;
const INODE_BYTES = 8;
/** The most inodes that are remembered: a log could list the same ones again and again. */
const INODES_MAX = 1_000_000;

/** What a log says. */
export interface ScannedLog {
  readonly newest: NewestHeader;
  readonly records: number;
  /** For each piece of the device, by its byte: the byte of the log with its newest contents. */
  readonly pieces: ReadonlyMap<number, number>;
  /** Inodes that are in use but may have no name, in the order of the log. */
  readonly inodes: readonly UnnamedInode[];
  /**
   * Where the list of these inodes begins; undefined if other records follow it, or are in it.
   */
  readonly inodesAt: number | undefined;
}

/**
 * Reads a log. Rejects with `Corrupt` where a record cannot be what it says, `InputOutput`.
 *
 * @param deviceBytes no record may lead beyond this
 */
export async function scanLog(bio: BlockIo, place: LogPlace, deviceBytes: number): Promise<ScannedLog> {
  const headerBytes = await readBytes(bio, place.at, 2 * place.blockBytes);
  const newest = newestHeader(headerBytes, place);
  const scan = new LogScan(bio, place, newest.header, deviceBytes);
  await scan.run();
  const { records, pieces, inodesAt } = scan;
  const inodes = [...scan.inodes].map(([id, mode]) => ({ id, mode }));
  return { newest, records, pieces, inodes, inodesAt };
}

class LogScan {
  readonly pieces = new Map<number, number>();
  inodes = new Map<number, number>();
  inodesAt: number | undefined = undefined;
  records = 0;
  readonly #bio: BlockIo;
  readonly #place: LogPlace;
  readonly #header: LogHeader;
  readonly #deviceBytes: number;
  /** The bytes of the ring that were walked: no more than there are. */
  #walked = 0;

  constructor(bio: BlockIo, place: LogPlace, header: LogHeader, deviceBytes: number) {
    this.#bio = bio;
    this.#place = place;
    this.#header = header;
    this.#deviceBytes = deviceBytes;
  }

  async run(): Promise<void> {
    const { head, tail, isEmpty, ringBytes } = this.#header;
    if (isEmpty) return;
    const end = this.#normal(head);
    let at = this.#normal(tail);
    do {
      at = await this.#record(at);
      if (this.#walked > ringBytes) throw this.#wrong(at, 'records that fill more than the ring');
    } while (at !== end);
  }

  /** Reads the record at a byte of the log; resolves to the byte behind it. */
  async #record(at: number): Promise<number> {
    const { blockBytes } = this.#place;
    const bytes = await readBytes(this.#bio, this.#place.at + at, blockBytes);
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const { littleEndian } = this.#header;
    const type = view.getUint32(0, littleEndian);
    const length = view.getInt32(4, littleEndian);
    const count = view.getInt32(8, littleEndian);
    const each = type === LOG_TYPE.inodes ? INODE_BYTES : BLOCK_BYTES;
    if (count < 0 || LIST_AT + count * each > blockBytes) throw this.#wrong(at, `a list of ${count}`);
    if (length < blockBytes || length % blockBytes !== 0) throw this.#wrong(at, `length ${length}`);
    this.records += 1;
    this.#walked += length;
    const contents = this.#advance(at, blockBytes);
    if (type !== LOG_TYPE.inodes) this.inodesAt = undefined;
    if (type === LOG_TYPE.blocks) this.#blocks(view, at, contents, count, length - blockBytes);
    else if (type === LOG_TYPE.revocations) this.#revocations(view, at, count);
    else if (type === LOG_TYPE.inodes) this.#inodes(view, at, count);
    else throw this.#wrong(at, `type 0x${type.toString(16)}`);
    return this.#advance(at, length);
  }

  #blocks(view: DataView, at: number, contents: number, count: number, room: number): void {
    const { pieceBytes } = this.#header;
    let from = contents;
    let used = 0;
    for (let index = 0; index < count; index += 1) {
      const { first, length } = this.#listed(view, at, index);
      used += length;
      if (used > room) throw this.#wrong(at, `${used} bytes of blocks in ${room}`);
      for (let offset = 0; offset < length; offset += pieceBytes) {
        this.pieces.set(first + offset, from);
        from = this.#advance(from, pieceBytes);
      }
    }
  }

  #revocations(view: DataView, at: number, count: number): void {
    const { pieceBytes } = this.#header;
    for (let index = 0; index < count; index += 1) {
      const { first, length } = this.#listed(view, at, index);
      for (let offset = 0; offset < length; offset += pieceBytes) this.pieces.delete(first + offset);
    }
  }

  #inodes(view: DataView, at: number, count: number): void {
    const { littleEndian } = this.#header;
    if (view.getInt32(12, littleEndian) !== 0) {
      this.inodes = new Map();
      this.inodesAt = at;
    }
    for (let index = 0; index < count; index += 1) {
      const item = LIST_AT + index * INODE_BYTES;
      this.inodes.set(view.getUint32(item, littleEndian), view.getUint32(item + 4, littleEndian));
    }
    if (this.inodes.size > INODES_MAX) throw this.#wrong(at, `more than ${INODES_MAX} inodes`);
  }

  /** The bytes of the device that an item of a list of blocks names. */
  #listed(view: DataView, at: number, index: number): { readonly first: number; readonly length: number } {
    const { littleEndian, pieceBytes } = this.#header;
    const item = LIST_AT + index * BLOCK_BYTES;
    const first = Number(view.getBigInt64(item, littleEndian)) * LOG_SECTOR_BYTES;
    const length = view.getInt32(item + 12, littleEndian);
    const fits = first >= 0 && length > 0 && first + length <= this.#deviceBytes;
    const whole = first % pieceBytes === 0 && length % pieceBytes === 0;
    if (!Number.isSafeInteger(first) || !fits || !whole)
      throw this.#wrong(at, `${length} bytes at byte ${first} of the device`);
    return { first, length };
  }

  #advance(at: number, length: number): number {
    const { ringAt, ringBytes } = this.#header;
    return ringAt + ((at - ringAt + length) % ringBytes);
  }

  /** A place of the ring; 0 and the ring's end stand for its beginning. */
  #normal(at: number): number {
    const { ringAt, ringBytes } = this.#header;
    return at < ringAt || at >= ringAt + ringBytes ? ringAt : at;
  }

  #wrong(at: number, what: string): FsError {
    return new FsError('Corrupt', `wapbl: record at byte ${at} of the log: ${what}`);
  }
}
