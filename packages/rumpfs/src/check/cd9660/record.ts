/**
 * A record of a directory: 0 its length · 1 blocks of extended attributes · 2 first block (4+4) ·
 * 10 bytes (4+4) · 18 time · 25 flags · 26 unit and 27 gap of interleaved files · 28 volume (2+2) ·
 * 32 length of the name · 33 name, padded to an even length · system use.
 */
import type { Findings } from '../report.ts';
import { both, SECTOR_BYTES } from './descriptors.ts';

export const FLAG = { directory: 2, associated: 4, more: 0x80 };
const HEADER_BYTES = 33;

export interface Record {
  /** The record and its place, for findings. */
  readonly where: string;
  readonly length: number;
  readonly block: number;
  readonly size: number;
  readonly flags: number;
  readonly interleaved: boolean;
  /** The name as it stands there, a character for each byte. */
  readonly name: string;
  readonly systemUse: Uint8Array;
}

/** Reads a record; undefined, with a finding, where it does not fit into its sector. */
export function recordAt(found: Findings, bytes: Uint8Array, at: number, base: number): Record | undefined {
  const place = `record at byte ${base + at}`;
  const length = bytes[at] ?? 0;
  const nameBytes = bytes[at + 32] ?? 0;
  const room = SECTOR_BYTES - (at % SECTOR_BYTES);
  if (length < HEADER_BYTES + nameBytes || length > room || nameBytes === 0) {
    found.damage(`${place}: ${length} bytes do not hold it`);
    return undefined;
  }
  const record = bytes.subarray(at, at + length);
  const name = String.fromCharCode(...record.subarray(HEADER_BYTES, HEADER_BYTES + nameBytes));
  const where = `${place} ${JSON.stringify(name)}`;
  both(record, 28, 2, found, where);
  return {
    where,
    length,
    block: both(record, 2, 4, found, where) + (record[1] ?? 0),
    size: both(record, 10, 4, found, where),
    flags: record[25] ?? 0,
    interleaved: record[26] !== 0 || record[27] !== 0,
    name,
    systemUse: record.subarray(HEADER_BYTES + nameBytes + (nameBytes % 2 === 0 ? 1 : 0)),
  };
}
