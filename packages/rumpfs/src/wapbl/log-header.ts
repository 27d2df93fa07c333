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
 * Numbers are in the byte order of the machine that wrote them. Source: NetBSD's manual page
 * wapbl(4) and the description of the records in its public header.
 */
export const LOG_TYPE = {
  header: 0x5741_424c,
  inodes: 0x5741_424d,
  revocations: 0x5741_424e,
  blocks: 0x5741_424f,
} as const;

export const LOG_SECTOR_BYTES = 512;
const HEADER_BYTES = 80;
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

/** The header that counts in the first two blocks of a log. Throws `Corrupt`. */
export function newestHeader(bytes: Uint8Array, place: LogPlace): LogHeader {
  let newest: LogHeader | undefined;
  for (const at of [0, place.blockBytes]) {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, HEADER_BYTES);
    for (const littleEndian of [true, false]) {
      if (view.getUint32(0, littleEndian) !== LOG_TYPE.header) continue;
      const header = new LogHeader(view, littleEndian);
      if (newest === undefined || header.generation > newest.generation) newest = header;
    }
  }
  if (newest === undefined) throw new FsError('Corrupt', 'wapbl: no header at the beginning of the log');
  newest.check(place);
  return newest;
}

/** Both headers as those of an empty log, of later generations. */
export function emptied(bytes: Uint8Array, { blockBytes }: LogPlace, newest: LogHeader): Uint8Array {
  const { littleEndian, generation } = newest;
  const before = new DataView(bytes.buffer, bytes.byteOffset);
  const first =
    before.getUint32(0, littleEndian) === LOG_TYPE.header &&
    before.getUint32(12, littleEndian) === generation;
  const from = first ? 0 : blockBytes;
  const out = new Uint8Array(2 * blockBytes);
  const view = new DataView(out.buffer);
  for (const [index, at] of [0, blockBytes].entries()) {
    out.set(bytes.subarray(from, from + blockBytes), at);
    view.setUint32(at + 12, generation + 1 + index, littleEndian);
    view.setBigInt64(at + 48, 0n, littleEndian);
    view.setBigInt64(at + 56, 0n, littleEndian);
  }
  return out;
}
