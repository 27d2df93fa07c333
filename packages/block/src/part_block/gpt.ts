/**
 * The GUID partition table of the UEFI specification (version 2.10, chapter 5.3). Block 1 holds a
 * header, and the table of entries lies somewhere behind it, usually from block 2 on. The last
 * block of the disk holds a backup of the header, with a copy of the table in front of it. Numbers
 * are little endian.
 *
 * The header: "EFI PART", revision (0x00010000), its length (92 or more), its CRC-32 (counted with
 * these four bytes zero), four bytes of zero, its own block, the block of the other header, the
 * first and the last block that partitions may use (64 bits each), the GUID of the disk (at 56),
 * the first block of the table (at 72), the number of entries, the bytes of an entry (128 or a
 * power of two times that), and the CRC-32 of the table. An entry: the GUID of its type (all zero:
 * unused), its own GUID, its first and its last block (64 bits each), attributes, and 36 units of
 * UTF-16 for a name, which ends at the first zero.
 */
import { viewOf } from '../lib/byte-reader.ts';
import { crc32 } from '../lib/crc32.ts';
import { isZero } from '../lib/is-zero.ts';
import type { DiskBlocks } from './disk-blocks.ts';
import { GUID_BYTES, guidText } from './guid.ts';

/** The block of the first header. */
export const PRIMARY_HEADER_AT = 1;

const SIGNATURE = 'EFI PART';
const HEADER_BYTES_MIN = 92;
const REVISION_MAJOR = 1;
const ENTRY_BYTES_MIN = 128;
/** Tables of tools have 16 KiB. The bound keeps a hostile table from filling our memory. */
const TABLE_BYTES_MAX = 1024 * 1024;
const NAME_AT = 56;
const NAME_UNITS = 36;

/** A header, checked against its CRC and against its place. */
export interface GptHeader {
  /** The block that it was read from. */
  readonly at: number;
  /** The block of the other header, as this one says. */
  readonly alternate: number;
  readonly diskGuid: string;
  /** The first and the last block that partitions may use. */
  readonly firstUsable: number;
  readonly lastUsable: number;
  readonly table: { readonly first: number; readonly entries: number; readonly entryBytes: number };
  readonly tableCrc: number;
}

/** An entry that is in use; not checked against the disk. */
export interface GptEntry {
  readonly number: number;
  readonly type: string;
  readonly guid: string;
  readonly first: number;
  readonly last: number;
  readonly name: string;
}

/** Something that was read, or the reason why it cannot be used. */
export type Checked<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly reason: string; readonly absent?: boolean };

/** Reads the header in block `at`. `absent` says that there is nothing like a header. */
export async function readGptHeader(disk: DiskBlocks, at: number): Promise<Checked<GptHeader>> {
  if (at >= disk.blockCount) return { ok: false, reason: `block ${at} is beyond the end of the disk` };
  const block = await disk.read(at, 1);
  const view = viewOf(block);
  const fault = (reason: string): Checked<GptHeader> => ({ ok: false, reason: `block ${at} ${reason}` });
  if (latin1(block.subarray(0, SIGNATURE.length)) !== SIGNATURE) {
    return { ok: false, reason: `block ${at} holds no header`, absent: true };
  }
  const headerBytes = view.getUint32(12, true);
  if (headerBytes < HEADER_BYTES_MIN || headerBytes > block.byteLength) {
    return fault(`holds a header of ${headerBytes} bytes`);
  }
  const stated = view.getUint32(16, true);
  const counted = block.slice(0, headerBytes).fill(0, 16, 20);
  if (crc32(counted) !== stated) return fault('holds a header with a wrong checksum');
  if (view.getUint16(10, true) !== REVISION_MAJOR) return fault('holds a header of an unknown revision');
  const header: GptHeader = {
    at: u64(view, 24),
    alternate: u64(view, 32),
    firstUsable: u64(view, 40),
    lastUsable: u64(view, 48),
    diskGuid: guidText(block.subarray(56, 56 + GUID_BYTES)),
    table: {
      first: u64(view, 72),
      entries: view.getUint32(80, true),
      entryBytes: view.getUint32(84, true),
    },
    tableCrc: view.getUint32(88, true),
  };
  if (header.at !== at) return fault(`holds a header that belongs into block ${header.at}`);
  const problem = tableProblem(header, disk);
  return problem === undefined ? { ok: true, value: header } : fault(problem);
}

/** The reason why the place of the table cannot be right. */
function tableProblem(header: GptHeader, { blockSize, blockCount }: DiskBlocks): string | undefined {
  const { at, alternate, firstUsable, lastUsable, table } = header;
  const { first, entries, entryBytes } = table;
  if (entryBytes < ENTRY_BYTES_MIN || !Number.isInteger(Math.log2(entryBytes / ENTRY_BYTES_MIN))) {
    return `states entries of ${entryBytes} bytes`;
  }
  if (entries * entryBytes > TABLE_BYTES_MAX) {
    return `states ${entries} entries of ${entryBytes} bytes, and ${TABLE_BYTES_MAX} bytes are the most`;
  }
  const blocks = Math.ceil((entries * entryBytes) / blockSize);
  const end = first + blocks;
  if (firstUsable <= PRIMARY_HEADER_AT || firstUsable > lastUsable) {
    return `leaves blocks ${firstUsable} to ${lastUsable} to partitions`;
  }
  if (alternate >= firstUsable && alternate <= lastUsable) {
    return `states the other header in block ${alternate}, which it leaves to partitions`;
  }
  // The copy of the table lies in front of the last header.
  if (at === PRIMARY_HEADER_AT && alternate > lastUsable && alternate - blocks <= lastUsable) {
    const copy = `blocks ${alternate - blocks} to ${alternate - 1}`;
    return `leaves ${copy} to partitions, where the backup of its table is`;
  }
  // A partition over the table would let its user change all partitions.
  const inFront = first > PRIMARY_HEADER_AT && end <= firstUsable;
  const behind = first > lastUsable && end <= blockCount && (at < first || at >= end);
  if (inFront || behind) return undefined;
  return `states a table in blocks ${first} to ${end - 1}, where it cannot be`;
}

/** Reads the table that a header leads to: its entries that are in use. */
export async function readGptEntries(
  disk: DiskBlocks,
  header: GptHeader,
): Promise<Checked<readonly GptEntry[]>> {
  const { first, entries, entryBytes } = header.table;
  const tableBytes = entries * entryBytes;
  const blocks = Math.ceil(tableBytes / disk.blockSize);
  if (first + blocks > disk.blockCount) {
    return { ok: false, reason: `the table of block ${header.at} is beyond the end of the disk` };
  }
  const table = blocks === 0 ? new Uint8Array() : (await disk.read(first, blocks)).subarray(0, tableBytes);
  if (crc32(table) !== header.tableCrc) {
    return { ok: false, reason: `the table in block ${first} has a wrong checksum` };
  }
  const found: GptEntry[] = [];
  for (let index = 0; index < entries; index++) {
    const bytes = table.subarray(index * entryBytes, (index + 1) * entryBytes);
    const type = bytes.subarray(0, GUID_BYTES);
    if (isZero(type)) continue;
    const view = viewOf(bytes);
    const guid = guidText(bytes.subarray(GUID_BYTES));
    found.push({
      number: index + 1,
      type: guidText(type),
      guid,
      first: u64(view, 32),
      last: u64(view, 40),
      name: nameOf(bytes),
    });
  }
  return { ok: true, value: found };
}

/** The name of an entry. Halves of surrogate pairs become U+FFFD. */
function nameOf(entry: Uint8Array): string {
  const view = new DataView(entry.buffer, entry.byteOffset + NAME_AT, NAME_UNITS * 2);
  let units = 0;
  while (units < NAME_UNITS && view.getUint16(units * 2, true) !== 0) units++;
  return new TextDecoder('utf-16le').decode(entry.subarray(NAME_AT, NAME_AT + units * 2));
}

/**
 * A number of 64 bits. One that JavaScript cannot hold exactly becomes infinite, and is beyond the
 * end of every disk.
 */
function u64(view: DataView, at: number): number {
  const value = view.getBigUint64(at, true);
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : Number.POSITIVE_INFINITY;
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
