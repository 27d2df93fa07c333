/**
 * A record of a directory: 0 its length · 1 blocks of extended attributes in front of the data ·
 * 2 first block (4+4) · 10 bytes (4+4) · 18 time (7) · 25 flags · 26 unit and 27 gap of interleaved
 * files · 32 length of the name · 33 name, padded to an even length · system use. Records do not
 * cross sectors.
 */
import { textOfBytes } from '@ginit/core/file_system';
import { bigEndianText } from './descriptors.ts';
import type { Disc } from './disc.ts';

export const RECORD_FLAG = { directory: 0x02, associated: 0x04, more: 0x80 } as const;
const HEADER_BYTES = 33;

export interface CdRecord {
  /** The byte of the device where it begins. */
  readonly position: number;
  readonly length: number;
  /** The byte of the device where the data begins. */
  readonly start: number;
  readonly sizeBytes: number;
  readonly flags: number;
  readonly interleaved: boolean;
  readonly modifiedMs: number;
  /** `.`, `..`, or a name as the disc has it. */
  readonly name: string;
  /** Where the system use begins in the record. */
  readonly systemUse: number;
}

/** Reads the record at `offset` of a sector. Throws `Corrupt` at one that reaches out of it. */
export function readRecord(disc: Disc, bytes: Uint8Array, offset: number, position: number): CdRecord {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = bytes[offset] ?? 0;
  const nameBytes = offset + HEADER_BYTES <= bytes.length ? (bytes[offset + 32] ?? 0) : 0;
  if (length < HEADER_BYTES + nameBytes || offset + length > bytes.length) {
    throw disc.corrupt(`directory record at byte ${position}: ${length} bytes do not hold it`);
  }
  const name = bytes.subarray(offset + HEADER_BYTES, offset + HEADER_BYTES + nameBytes);
  return {
    position,
    length,
    start: (view.getUint32(offset + 2, true) + (bytes[offset + 1] ?? 0)) * disc.blockBytes,
    sizeBytes: view.getUint32(offset + 10, true),
    flags: bytes[offset + 25] ?? 0,
    interleaved: (bytes[offset + 26] ?? 0) !== 0,
    modifiedMs: shortTime(bytes.subarray(offset + 18, offset + 25)),
    name: recordName(disc, name),
    systemUse: HEADER_BYTES + nameBytes + (nameBytes % 2 === 0 ? 1 : 0),
  };
}

function recordName(disc: Disc, bytes: Uint8Array): string {
  if (bytes.length === 1 && bytes[0] === 0) return '.';
  if (bytes.length === 1 && bytes[0] === 1) return '..';
  switch (disc.names) {
    case 'joliet':
      return withoutVersion(bigEndianText(bytes));
    case 'enhanced':
      return withoutVersion(textOfBytes(bytes.slice()));
    case 'plain':
    case 'rock-ridge': {
      const name = withoutVersion(textOfBytes(bytes.slice())).toLowerCase();
      return name.endsWith('.') ? name.slice(0, -1) : name;
    }
  }
}

function withoutVersion(name: string): string {
  return name.replace(/;\d*$/, '');
}

/**
 * A time of seven bytes: years since 1900, month, day, hour, minute, second, quarters of an hour
 * east of UTC.
 */
export function shortTime(bytes: Uint8Array): number {
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0, zone = 0] = bytes;
  const east = (zone << 24) >> 24;
  return Date.UTC(1900 + year, month - 1, day, hour, minute, second) - east * 15 * 60_000;
}
