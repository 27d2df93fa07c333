import { FsError } from '../errors.ts';

/*
 * WAPBL, the journal of NetBSD's FFS: a ring of records on the device, behind two headers of which
 * the one with the higher generation counts. `head` and `tail` are bytes from the beginning of the
 * log: the records that have to be brought to their places are between them; there are none where
 * the two are the same. A record has whole blocks of the log and may go on at the ring's beginning:
 *
 *     header: 0 type · 4 length · 8 checksum (not used) · 12 generation · 16 file system · 24 time ·
 *             36 version · 40 log2 of a block of the log · 44 of one of the file system · 48 head ·
 *             56 tail · 64 ring's beginning · 72 its length
 *     blocks: 0 type · 4 length · 8 count · 16 for each: sector of 512 bytes (64 bits), 0, bytes;
 *             their contents follow in the next blocks of the log
 *     revocations: the same without contents: what earlier records have of them is void
 *     inodes: 0 type · 4 length · 8 count · 12 whether earlier ones are void · 16 for each: number,
 *             mode; inodes that are in use, but may have no name
 *
 * Numbers are in the byte order of the machine that wrote them. Sources: NetBSD's manual page
 * wapbl(4), its header sys/wapbl.h, and, for the order in which records count and are written, and
 * for the room that is left between head and tail, its kern/vfs_wapbl.c (BSD licence; read, not
 * copied).
 */
export const LOG_TYPE = {
  header: 0x5741_424c,
  inodes: 0x5741_424d,
  revocations: 0x5741_424e,
  blocks: 0x5741_424f,
} as const;

export const LOG_SECTOR_BYTES = 512;
const HEADER_BYTES = 80;
const LOG_VERSION = 1;
const SHIFT_MIN = 9;
const SHIFT_MAX = 16;

/** A part of the device with a log, in bytes. */
export interface LogPlace {
  readonly at: number;
  readonly lengthBytes: number;
  readonly blockBytes: number;
}

/** One of the two headers. */
export class LogHeader {
  readonly littleEndian: boolean;
  readonly generation: number;
  readonly blockBytes: number;
  readonly pieceBytes: number;
  readonly head: number;
  readonly tail: number;
  readonly ringAt: number;
  readonly ringBytes: number;

  constructor(view: DataView, littleEndian: boolean) {
    const wide = (at: number): number => Number(view.getBigInt64(at, littleEndian));
    const shifted = (at: number): number => {
      const shift = view.getUint32(at, littleEndian);
      return shift >= SHIFT_MIN && shift <= SHIFT_MAX ? 2 ** shift : 0;
    };
    this.littleEndian = littleEndian;
    this.generation = view.getUint32(12, littleEndian);
    this.blockBytes = shifted(40);
    this.pieceBytes = shifted(44);
    this.head = wide(48);
    this.tail = wide(56);
    this.ringAt = wide(64);
    this.ringBytes = wide(72);
  }

  get isEmpty(): boolean {
    return this.head === this.tail;
  }

  /** Throws `Corrupt` unless the ring is in the log, and head and tail are in the ring. */
  check({ lengthBytes, blockBytes }: LogPlace): void {
    const { ringAt, ringBytes, head, tail } = this;
    const wrong = (what: string): FsError => new FsError('Corrupt', `wapbl: header: ${what}`);
    if (this.blockBytes !== blockBytes || this.pieceBytes === 0)
      throw wrong(`blocks of ${this.blockBytes} and ${this.pieceBytes} bytes`);
    const whole = (value: number): boolean => Number.isSafeInteger(value) && value % blockBytes === 0;
    const inside = ringAt >= 2 * blockBytes && ringBytes > 0 && ringAt + ringBytes <= lengthBytes;
    if (!whole(ringAt) || !whole(ringBytes) || !inside)
      throw wrong(`a ring of ${ringBytes} bytes at ${ringAt} of ${lengthBytes}`);
    if (this.isEmpty) return;
    for (const end of [head, tail]) {
      const fits = end === 0 || (end >= ringAt && end <= ringAt + ringBytes);
      if (!whole(end) || !fits) throw wrong(`records from ${tail} to ${head}`);
    }
  }
}

/** The header that counts, and which of the two it is. */
export interface NewestHeader {
  readonly header: LogHeader;
  readonly index: 0 | 1;
}

/** The header that counts in the first two blocks of a log. Throws `Corrupt`. */
export function newestHeader(bytes: Uint8Array, place: LogPlace): NewestHeader {
  let newest: NewestHeader | undefined;
  for (const index of [0, 1] as const) {
    const at = index * place.blockBytes;
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, HEADER_BYTES);
    for (const littleEndian of [true, false]) {
      if (view.getUint32(0, littleEndian) !== LOG_TYPE.header) continue;
      const header = new LogHeader(view, littleEndian);
      if (newest === undefined || header.generation > newest.header.generation) newest = { header, index };
    }
  }
  if (newest === undefined)
    throw new FsError('Corrupt', `wapbl: no header in the first two blocks of the log at ${place.at}`);
  newest.header.check(place);
  return newest;
}

/** What a header says that changes from one to the next. */
export interface HeaderState {
  readonly generation: number;
  readonly head: number;
  readonly tail: number;
  readonly nowMs: number;
}

/** What all headers of a log say. */
export interface LogForm {
  readonly place: LogPlace;
  readonly littleEndian: boolean;
  readonly pieceBytes: number;
  readonly ringAt: number;
  readonly ringBytes: number;
}

/** The form of a new log: the whole place behind the two headers is its ring. */
export function newForm(place: LogPlace, littleEndian: boolean): LogForm {
  const ringAt = 2 * place.blockBytes;
  const ringBytes = place.lengthBytes - ringAt;
  return { place, littleEndian, pieceBytes: place.blockBytes, ringAt, ringBytes };
}

/** The form that a header says its log has. */
export function formOf(header: LogHeader, place: LogPlace): LogForm {
  const { littleEndian, pieceBytes, ringAt, ringBytes } = header;
  return { place, littleEndian, pieceBytes, ringAt, ringBytes };
}

/** A header as its block of the log. */
export function encodeHeader(form: LogForm, { generation, head, tail, nowMs }: HeaderState): Uint8Array {
  const { place, littleEndian, pieceBytes, ringAt, ringBytes } = form;
  const bytes = new Uint8Array(place.blockBytes);
  const view = new DataView(bytes.buffer);
  const narrow = (at: number, value: number): void => view.setUint32(at, value, littleEndian);
  const wide = (at: number, value: number): void => view.setBigInt64(at, BigInt(value), littleEndian);
  narrow(0, LOG_TYPE.header);
  narrow(4, place.blockBytes);
  narrow(12, generation);
  const seconds = Math.floor(nowMs / 1000);
  wide(24, seconds);
  narrow(32, Math.floor(nowMs - seconds * 1000) * 1_000_000);
  narrow(36, LOG_VERSION);
  narrow(40, Math.log2(place.blockBytes));
  narrow(44, Math.log2(pieceBytes));
  wide(48, head);
  wide(56, tail);
  wide(64, ringAt);
  wide(72, ringBytes);
  return bytes;
}
