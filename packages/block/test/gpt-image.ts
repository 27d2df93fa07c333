/** GUID partition tables for tests, written independently of the code that reads them. */
import { crc32 } from 'node:zlib';
import { writeBootRecord } from './disk-image.ts';

/** The type of a partition with a Linux file system, and that of an EFI system partition. */
export const LINUX_TYPE = '0fc63daf-8483-4772-8e79-3d69d8477de4';
export const EFI_TYPE = 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b';

/** An entry of a table. */
export interface GptTestEntry {
  readonly first: number;
  readonly last: number;
  readonly type?: string;
  readonly guid?: string;
  readonly name?: string;
}

/** What differs from a table as tools make it. */
export interface GptOptions {
  readonly entries?: readonly (GptTestEntry | undefined)[];
  readonly blockSize?: number;
  readonly entryCount?: number;
  readonly entryBytes?: number;
  readonly firstUsable?: number;
  readonly lastUsable?: number;
  /** The last block of the disk when it was partitioned. */
  readonly lastBlock?: number;
  readonly tableAt?: number;
}

/** Writes the bytes of a GUID as GPT has them. */
export function writeGuid(image: Uint8Array, at: number, text: string): void {
  const bytes = Buffer.from(text.replaceAll('-', ''), 'hex');
  const order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
  for (const [index, from] of order.entries()) image[at + index] = bytes[from] ?? 0;
}

/** A GUID for the partition of this number. */
export const guidOf = (number: number): string =>
  `11111111-2222-3333-4444-${number.toString(16).padStart(12, '0')}`;

/** Writes a GPT with its backup and its protective MBR over an image. */
export function writeGpt(image: Uint8Array, options: GptOptions = {}): void {
  const { blockSize = 512, entryCount = 128, entryBytes = 128, entries = [], tableAt = 2 } = options;
  const lastBlock = options.lastBlock ?? image.length / blockSize - 1;
  const tableBlocks = Math.ceil((entryCount * entryBytes) / blockSize);
  const firstUsable = options.firstUsable ?? tableAt + tableBlocks;
  const lastUsable = options.lastUsable ?? lastBlock - tableBlocks - 1;
  const table = new Uint8Array(entryCount * entryBytes);
  for (const [index, entry] of entries.entries()) if (entry) writeEntry(table, index, entryBytes, entry);
  const usable = { firstUsable, lastUsable };
  const shape = { entryCount, entryBytes };
  image.set(table, tableAt * blockSize);
  const backupAt = lastBlock - tableBlocks;
  image.set(table, backupAt * blockSize);
  writeHeader(image, blockSize, { at: 1, alternate: lastBlock, tableAt, ...usable, ...shape }, table);
  writeHeader(
    image,
    blockSize,
    { at: lastBlock, alternate: 1, tableAt: backupAt, ...usable, ...shape },
    table,
  );
  writeBootRecord(image, 0, [{ type: 0xee, first: 1, count: lastBlock }]);
}

function writeEntry(table: Uint8Array, index: number, entryBytes: number, entry: GptTestEntry): void {
  const at = index * entryBytes;
  const view = new DataView(table.buffer);
  writeGuid(table, at, entry.type ?? LINUX_TYPE);
  writeGuid(table, at + 16, entry.guid ?? guidOf(index + 1));
  view.setBigUint64(at + 32, BigInt(entry.first), true);
  view.setBigUint64(at + 40, BigInt(entry.last), true);
  table.set(Buffer.from(entry.name ?? '', 'utf16le').subarray(0, 72), at + 56);
}

interface Header {
  readonly at: number;
  readonly alternate: number;
  readonly tableAt: number;
  readonly firstUsable: number;
  readonly lastUsable: number;
  readonly entryCount: number;
  readonly entryBytes: number;
}

function writeHeader(image: Uint8Array, blockSize: number, header: Header, table: Uint8Array): void {
  const bytes = new Uint8Array(92);
  const view = new DataView(bytes.buffer);
  bytes.set(Buffer.from('EFI PART', 'latin1'));
  view.setUint32(8, 0x00010000, true);
  view.setUint32(12, 92, true);
  view.setBigUint64(24, BigInt(header.at), true);
  view.setBigUint64(32, BigInt(header.alternate), true);
  view.setBigUint64(40, BigInt(header.firstUsable), true);
  view.setBigUint64(48, BigInt(header.lastUsable), true);
  writeGuid(bytes, 56, guidOf(0));
  view.setBigUint64(72, BigInt(header.tableAt), true);
  view.setUint32(80, header.entryCount, true);
  view.setUint32(84, header.entryBytes, true);
  view.setUint32(88, crc32(table), true);
  view.setUint32(16, crc32(bytes), true);
  image.fill(0, header.at * blockSize, (header.at + 1) * blockSize);
  image.set(bytes, header.at * blockSize);
}

/** Changes a header and corrects its checksum, so that only the change is wrong. */
export function changeHeader(
  image: Uint8Array,
  at: number,
  change: (view: DataView) => void,
  blockSize = 512,
): void {
  const view = new DataView(image.buffer, image.byteOffset + at * blockSize, blockSize);
  change(view);
  view.setUint32(16, 0, true);
  const length = Math.min(view.getUint32(12, true), blockSize);
  view.setUint32(16, crc32(new Uint8Array(view.buffer, view.byteOffset, length)), true);
}
