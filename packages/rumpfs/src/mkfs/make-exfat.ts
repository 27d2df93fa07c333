/**
 * Makes an exFAT: the boot region and its backup, the FAT, and three chains of clusters: the
 * allocation bitmap, the up-case table and the root directory. The structures are those that the
 * room `exfat` describes; nothing of that is used here, so that one does not repeat a mistake of
 * the other.
 */
import { FsError } from '../errors.ts';
import { type ExfatGeometry, exfatGeometry, type ExfatWishes } from './exfat-geometry.ts';
import { storedUpcaseTable } from './exfat-upcase.ts';
import { type FormatDevice, type FormatWorld, FormatWriter } from './format-device.ts';

/** The wishes for an exFAT. */
export interface ExfatOptions extends ExfatWishes {
  /** At most 11 units of UTF-16. */
  readonly label?: string | undefined;
  /** The serial number, of 32 bits; by chance if it is missing. */
  readonly serial?: number | undefined;
}

const REGION_SECTORS = 12;
const EXTENDED_SECTORS = 8;
const LABEL_UNITS = 11;
const FIRST_CLUSTER = 2;
const FAT_END = 0xffff_ffff;
/** Bytes of the boot sector that the checksum leaves out. */
const CHANGING = [106, 107, 112];
const LONE_SURROGATE = /[\ud800-\udfff]/u;
// oxlint-disable-next-line no-control-regex
const NOT_IN_LABELS = /[\u0000-\u001f"*/:<>?\\|]/;

/** The clusters of one of the three structures. */
interface Piece {
  readonly first: number;
  readonly count: number;
}

/** Makes the file system. Rejects with `FsError`. */
export async function makeExfat(
  device: FormatDevice,
  options: ExfatOptions,
  world: FormatWorld,
): Promise<void> {
  const writer = new FormatWriter(device);
  const sectorBytes = options.sectorBytes ?? device.sectorSizeBytes;
  if (sectorBytes < device.sectorSizeBytes)
    throw new FsError('InvalidArgument', `exfat: the device has sectors of ${device.sectorSizeBytes} bytes`);
  const geometry = exfatGeometry(writer.sizeBytes, { ...options, sectorBytes });
  const label = labelOf(options.label ?? '');
  const serial = serialOf(options.serial, world);
  const table = storedUpcaseTable();
  const bitmapBytes = Math.ceil(geometry.clusters / 8);
  const bitmap = pieceAt(FIRST_CLUSTER, bitmapBytes, geometry);
  const upcase = pieceAt(bitmap.first + bitmap.count, table.length, geometry);
  const root = { first: upcase.first + upcase.count, count: 1 };
  const pieces = [bitmap, upcase, root];

  // What says that there is a file system is written last.
  await writer.zero(0, geometry.heapOffset * sectorBytes);
  world.progress?.(0.4);
  const placeOf = ({ first }: Piece): number =>
    geometry.heapOffset * sectorBytes + (first - FIRST_CLUSTER) * geometry.clusterBytes;
  const write = async (piece: Piece, bytes: Uint8Array): Promise<void> => {
    const whole = new Uint8Array(roundUp(bytes.length, sectorBytes));
    whole.set(bytes);
    const rest = piece.count * geometry.clusterBytes - whole.length;
    await writer.write(placeOf(piece), whole);
    await writer.zero(placeOf(piece) + whole.length, rest);
  };
  await write(bitmap, bitmapFor(pieces, bitmapBytes));
  await write(upcase, table);
  const entries = rootEntries(label, { ...bitmap, bytes: bitmapBytes }, { ...upcase, table });
  await write(root, entries);
  await writer.write(geometry.fatOffset * sectorBytes, fatFor(pieces, sectorBytes));
  world.progress?.(0.8);
  const region = bootRegion(geometry, root.first, serial);
  await writer.write(REGION_SECTORS * sectorBytes, region);
  await writer.sync();
  await writer.write(0, region);
  await writer.sync();
  world.progress?.(1);
}

function pieceAt(first: number, bytes: number, { clusterBytes }: ExfatGeometry): Piece {
  return { first, count: Math.ceil(bytes / clusterBytes) };
}

function labelOf(text: string): string {
  if (text.length <= LABEL_UNITS && !NOT_IN_LABELS.test(text) && !LONE_SURROGATE.test(text)) return text;
  throw new FsError(
    'InvalidArgument',
    `"${text}" is no label of an exFAT: at most 11 characters, none of "*/:<>?\\|`,
  );
}

function serialOf(wanted: number | undefined, world: FormatWorld): number {
  if (wanted !== undefined) {
    if (Number.isInteger(wanted) && wanted >= 0 && wanted <= 0xffff_ffff) return wanted;
    throw new FsError('InvalidArgument', `exfat: ${wanted} is no serial number of 32 bits`);
  }
  const bytes = new Uint8Array(4);
  world.random(bytes);
  return new DataView(bytes.buffer).getUint32(0);
}

/** The first bits are those of the structures, which stand side by side. */
function bitmapFor(pieces: readonly Piece[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (const { first, count } of pieces) {
    for (let index = first - FIRST_CLUSTER; index < first - FIRST_CLUSTER + count; index += 1)
      bytes[index >>> 3] = (bytes[index >>> 3] ?? 0) | (1 << (index & 7));
  }
  return bytes;
}

/** The first entries of the FAT: two that belong to no cluster, and a chain for each structure. */
function fatFor(pieces: readonly Piece[], sectorBytes: number): Uint8Array {
  const entries = [0xffff_fff8, FAT_END];
  for (const { first, count } of pieces)
    for (let index = 1; index <= count; index += 1) entries.push(index === count ? FAT_END : first + index);
  const bytes = new Uint8Array(roundUp(entries.length * 4, sectorBytes));
  const view = new DataView(bytes.buffer);
  for (const [index, entry] of entries.entries()) view.setUint32(index * 4, entry, true);
  return bytes;
}

function rootEntries(
  label: string,
  bitmap: Piece & { readonly bytes: number },
  upcase: Piece & { readonly table: Uint8Array },
): Uint8Array {
  const bytes = new Uint8Array(3 * 32);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 0x83);
  view.setUint8(1, label.length);
  for (let index = 0; index < label.length; index += 1)
    view.setUint16(2 + index * 2, label.charCodeAt(index), true);
  view.setUint8(32, 0x81);
  view.setUint32(32 + 20, bitmap.first, true);
  view.setBigUint64(32 + 24, BigInt(bitmap.bytes), true);
  view.setUint8(64, 0x82);
  view.setUint32(64 + 4, rotatedSum(upcase.table, []), true);
  view.setUint32(64 + 20, upcase.first, true);
  view.setBigUint64(64 + 24, BigInt(upcase.table.length), true);
  return bytes;
}

function bootRegion(geometry: ExfatGeometry, root: number, serial: number): Uint8Array {
  const { sectorBytes, clusterBytes } = geometry;
  const bytes = new Uint8Array(REGION_SECTORS * sectorBytes);
  const view = new DataView(bytes.buffer);
  bytes.set([0xeb, 0x76, 0x90]);
  bytes.set(new TextEncoder().encode('EXFAT   '), 3);
  view.setBigUint64(72, BigInt(geometry.sectors), true);
  view.setUint32(80, geometry.fatOffset, true);
  view.setUint32(84, geometry.fatSectors, true);
  view.setUint32(88, geometry.heapOffset, true);
  view.setUint32(92, geometry.clusters, true);
  view.setUint32(96, root, true);
  view.setUint32(100, serial, true);
  view.setUint16(104, 0x0100, true);
  view.setUint8(108, Math.log2(sectorBytes));
  view.setUint8(109, Math.log2(clusterBytes / sectorBytes));
  view.setUint8(110, 1);
  view.setUint8(111, 0x80);
  bytes.set([0x55, 0xaa], 510);
  for (let sector = 1; sector <= EXTENDED_SECTORS; sector += 1)
    bytes.set([0x55, 0xaa], (sector + 1) * sectorBytes - 2);
  const sum = rotatedSum(bytes.subarray(0, (REGION_SECTORS - 1) * sectorBytes), CHANGING);
  for (let at = (REGION_SECTORS - 1) * sectorBytes; at < bytes.length; at += 4) view.setUint32(at, sum, true);
  return bytes;
}

/** The sum of bytes, turned by one bit before each. */
function rotatedSum(bytes: Uint8Array, except: readonly number[]): number {
  let sum = 0;
  for (const [at, byte] of bytes.entries())
    if (!except.includes(at)) sum = (((sum << 31) | (sum >>> 1)) + byte) >>> 0;
  return sum;
}

function roundUp(bytes: number, unit: number): number {
  return Math.ceil(bytes / unit) * unit;
}
