import { entryBytes } from './directory-checksum.ts';
import { setRecordLength, writeRecord } from './directory-record.ts';
import type { Volume } from './volume.ts';

/** A record of a block of names that is split. */
export interface SplitRecord {
  readonly offset: number;
  readonly hash: number;
  /** The record without the room behind its name. */
  readonly bytes: Uint8Array;
}

const noName = new Uint8Array(0);

/** Fills a block with these records, without gaps; the last has the room that is left. */
export function splitLeaf(volume: Volume, bytes: Uint8Array, records: readonly SplitRecord[]): void {
  const end = entryBytes(volume);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  bytes.fill(0);
  let offset = 0;
  for (const [index, record] of records.entries()) {
    bytes.set(record.bytes, offset);
    const last = index === records.length - 1;
    setRecordLength(volume, view, offset, last ? end - offset : record.bytes.length);
    offset += record.bytes.length;
  }
  if (records.length === 0) {
    writeRecord(volume, bytes, 0, end, { inode: 0, name: noName, type: undefined });
  }
}
