/**
 * VMDK: VMware's image format, as one file of grains: a header, a text that describes the disk, a
 * directory of tables, and the grains that the tables lead to. In a streamOptimized image grains
 * are compressed, every piece has a marker before it, and the header at the beginning says that the
 * real one is at the end. All numbers are little-endian, all places are in sectors. (Source:
 * "Virtual Disk Format 5.0", VMware.)
 */
import { viewOf } from '../../lib/byte-reader.ts';
import { malformed, unsupported } from '../image-error.ts';

export const VMDK_SECTOR_BYTES = 512;
/** `KDMV`. */
export const VMDK_MAGIC = 0x564d_444b;
const COWD_MAGIC = 0x4457_4f43;
/** What the text begins with that describes the disk. */
export const VMDK_DESCRIPTOR_START = '# Disk DescriptorFile';
const VERSION_MAX = 3;
const GRAIN_SECTORS_MAX = 4096;
const TABLE_ENTRIES_MAX = 512;
const DIRECTORY_ENTRIES_MAX = 8 * 1024 * 1024;
const DESCRIPTOR_SECTORS_MAX = 2048;
/** More sectors have no number of their byte. */
const SECTORS_MAX = Math.floor(Number.MAX_SAFE_INTEGER / VMDK_SECTOR_BYTES);
const NO_PARENT = 'ffffffff';
const COMPRESSION_DEFLATE = 1;
/** What lines of the descriptor begin with that name a file of the disk. */
const EXTENT_ACCESS: ReadonlySet<string> = new Set(['RW', 'RDONLY', 'NOACCESS']);

/** Flags of the header. */
export const VMDK_FLAG = {
  newlineTest: 1,
  redundantTables: 2,
  zeroGrains: 4,
  compressed: 1 << 16,
  markers: 1 << 17,
} as const;
/** The place of a directory that the footer tells. */
const AT_END = 0xffff_ffff_ffff_ffffn;

/** Where the fields of the header are. */
export const VMDK_AT = {
  magic: 0,
  version: 4,
  flags: 8,
  capacity: 12,
  grainSectors: 20,
  descriptorOffset: 28,
  descriptorSectors: 36,
  tableEntries: 44,
  redundantDirectory: 48,
  directory: 56,
  overhead: 64,
  newlines: 73,
  compression: 77,
} as const;

/** A header that has been checked. */
export interface VmdkHeader {
  readonly flags: number;
  readonly sectors: number;
  readonly grainSectors: number;
  readonly descriptorOffset: number;
  readonly descriptorSectors: number;
  readonly tableEntries: number;
  /** The number of tables. */
  readonly tables: number;
  /** The sector of the directory; `undefined` if the footer says it. */
  readonly directory: number | undefined;
  readonly isCompressed: boolean;
}

/** Checks a header, or a footer. `at` is where it is in the file. Throws `ImageError`. */
export function parseVmdkHeader(bytes: Uint8Array, at = 0): VmdkHeader {
  const view = viewOf(bytes);
  checkMagic(bytes, view, at);
  const u64 = (field: number, what: string): number => {
    const value = view.getBigUint64(field, true);
    if (value > BigInt(SECTORS_MAX)) throw malformed(`${what} is ${value}`, at + field);
    return Number(value);
  };
  const version = view.getUint32(VMDK_AT.version, true);
  if (version < 1 || version > VERSION_MAX)
    throw unsupported(`VMDK version ${version}`, at + VMDK_AT.version);
  const flags = view.getUint32(VMDK_AT.flags, true);
  const sectors = u64(VMDK_AT.capacity, 'the size of the disk');
  const grainSectors = u64(VMDK_AT.grainSectors, 'the size of grains');
  if (!Number.isInteger(Math.log2(grainSectors)) || grainSectors > GRAIN_SECTORS_MAX) {
    throw malformed(`grains of ${grainSectors} sectors`, at + VMDK_AT.grainSectors);
  }
  const tableEntries = view.getUint32(VMDK_AT.tableEntries, true);
  if (tableEntries < 1 || tableEntries > TABLE_ENTRIES_MAX) {
    throw malformed(`grain tables of ${tableEntries} entries`, at + VMDK_AT.tableEntries);
  }
  const tables = Math.ceil(sectors / (grainSectors * tableEntries));
  if (tables > DIRECTORY_ENTRIES_MAX)
    throw malformed(`a directory of ${tables} tables`, at + VMDK_AT.capacity);
  const descriptorSectors = u64(VMDK_AT.descriptorSectors, 'the size of the descriptor');
  if (descriptorSectors > DESCRIPTOR_SECTORS_MAX) {
    throw malformed(`a descriptor of ${descriptorSectors} sectors`, at + VMDK_AT.descriptorSectors);
  }
  const isCompressed = (flags & VMDK_FLAG.compressed) !== 0;
  const compression = view.getUint16(VMDK_AT.compression, true);
  if (isCompressed && compression !== COMPRESSION_DEFLATE) {
    throw unsupported(`compression ${compression}, not 1 (deflate)`, at + VMDK_AT.compression);
  }
  const isAtEnd = view.getBigUint64(VMDK_AT.directory, true) === AT_END;
  return {
    flags,
    sectors,
    grainSectors,
    descriptorOffset: u64(VMDK_AT.descriptorOffset, 'the place of the descriptor'),
    descriptorSectors,
    tableEntries,
    tables,
    directory: isAtEnd ? undefined : u64(VMDK_AT.directory, 'the place of the directory'),
    isCompressed,
  };
}

function checkMagic(bytes: Uint8Array, view: DataView, at: number): void {
  const magic = view.getUint32(VMDK_AT.magic, true);
  if (magic === VMDK_MAGIC) return;
  if (magic === COWD_MAGIC) throw unsupported('a VMDK image of the ESX kind (COWD)', at);
  const text = new TextDecoder('latin1').decode(bytes.subarray(0, VMDK_DESCRIPTOR_START.length));
  if (text === VMDK_DESCRIPTOR_START) throw unsupported('a VMDK image whose disk lies in other files', at);
  throw malformed('this is no VMDK image', at);
}

/** Refuses disks that are not wholly in this file. Throws `ImageError`. */
export function checkDescriptor(text: string, at: number): void {
  const lines = text.split('\n');
  const value = (name: string): string | undefined => {
    for (const line of lines) {
      const equals = line.indexOf('=');
      if (equals < 0 || line.slice(0, equals).trim().toLowerCase() !== name.toLowerCase()) continue;
      return line
        .slice(equals + 1)
        .trim()
        .replaceAll('"', '');
    }
    return undefined;
  };
  const type = value('createType') ?? 'unknown';
  if (type !== 'monolithicSparse' && type !== 'streamOptimized') {
    throw unsupported(`a VMDK image of type "${type}", not monolithicSparse or streamOptimized`, at);
  }
  const parent = value('parentCID') ?? NO_PARENT;
  if (parent.toLowerCase() !== NO_PARENT) throw unsupported('the image is a difference to another one', at);
  const extents = lines.filter((line) => EXTENT_ACCESS.has(line.trim().split(' ', 1)[0] ?? ''));
  if (extents.length > 1) throw unsupported(`the disk lies in ${extents.length} files`, at);
}
