/**
 * Headers of tar archives, as POSIX (IEEE 1003.1, pax interchange format) and the manual of GNU tar
 * describe them. A header is a block of 512 bytes: name 100, mode 8, uid 8, gid 8, size 12, time
 * 12, checksum 8, type 1, link name 100, magic 6, version 2, user 32, group 32, device 16, prefix
 * 155.
 * Numbers are octal text; GNU writes those that are too large in base 256, with the first bit set.
 * The checksum is the sum of the block's bytes with spaces in its own place.
 */
import { textOfBytes } from '@ginit/core/file_system';

/** The unit of an archive. */
export const TAR_BLOCK_BYTES = 512;

/** Something that an archive must not have, and at which byte. */
export class TarError extends Error {
  override readonly name = 'TarError';
  constructor(text: string, position: number) {
    super(`at byte ${position}: ${text}`);
  }
}

/** A header as it stands in the archive. */
export interface TarHeader {
  readonly name: string;
  readonly linkName: string;
  readonly type: string;
  readonly sizeBytes: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly modifiedSeconds: number;
}

const CHECKSUM_AT = 148;
const CHECKSUM_BYTES = 8;
const SPACE = 32;
const GZIP = [0x1f, 0x8b];

/** Reads the header at `position`; undefined for a block of zeros, which ends the archive. */
export function readTarHeader(archive: Uint8Array, position: number): TarHeader | undefined {
  const block = archive.subarray(position, position + TAR_BLOCK_BYTES);
  if (block.length < TAR_BLOCK_BYTES) {
    if (position === 0 && GZIP.every((byte, index) => block[index] === byte))
      throw new TarError('it is compressed; decompress it first', 0);
    throw new TarError('the archive ends within a header', position);
  }
  if (block.every((byte) => byte === 0)) return undefined;
  checkSum(block, position);
  const number = (at: number, length: number): number => numberAt(block, at, length, position);
  const magic = textAt(block, 257, 6);
  // GNU's old format has other fields where the prefix is.
  const prefix = magic === 'ustar' && block[262] === 0 ? textAt(block, 345, 155) : '';
  const name = textAt(block, 0, 100);
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    linkName: textAt(block, 157, 100),
    type: block[156] === 0 ? '0' : String.fromCharCode(block[156] ?? 0),
    sizeBytes: number(124, 12),
    mode: number(100, 8),
    uid: number(108, 8),
    gid: number(116, 8),
    modifiedSeconds: number(136, 12),
  };
}

function checkSum(block: Uint8Array, position: number): void {
  let unsigned = 0;
  let signed = 0;
  for (const [index, byte] of block.entries()) {
    const counted = index >= CHECKSUM_AT && index < CHECKSUM_AT + CHECKSUM_BYTES ? SPACE : byte;
    unsigned += counted;
    signed += counted > 127 ? counted - 256 : counted;
  }
  // Some old programs added signed bytes.
  const sum = numberAt(block, CHECKSUM_AT, CHECKSUM_BYTES, position);
  if (sum === unsigned || sum === signed) return;
  const compressed = position === 0 && GZIP.every((byte, index) => block[index] === byte);
  const why = compressed
    ? 'it is compressed; decompress it first'
    : 'no header of tar: its checksum is wrong';
  throw new TarError(why, position);
}

/** Text up to the first zero byte, in the form of names. */
function textAt(block: Uint8Array, at: number, length: number): string {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return textOfBytes(end < 0 ? field : field.subarray(0, end));
}

function numberAt(block: Uint8Array, at: number, length: number, position: number): number {
  const field = block.subarray(at, at + length);
  const [first = 0, ...rest] = field;
  if ((first & 0x80) !== 0) {
    // Negative ones are times before 1970.
    let value = first === 0xff ? -1 : first & 0x7f;
    for (const byte of rest) value = value * 256 + byte;
    if (!Number.isSafeInteger(value)) throw new TarError('a number is too large', position);
    return value;
  }
  const text = textAt(block, at, length).trim();
  if (text === '') return 0;
  if (!/^[0-7]+$/.test(text)) {
    // The checksum of something else is mostly no number at all.
    if (at === CHECKSUM_AT) return -1;
    throw new TarError('a number is not octal', position);
  }
  return Number.parseInt(text, 8);
}
