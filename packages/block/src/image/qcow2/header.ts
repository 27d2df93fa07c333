/**
 * qcow2: QEMU's image format. The header names two tables: the L1 table leads through L2 tables to
 * the clusters that hold the disk, and the refcount table leads through refcount blocks to a count
 * for every cluster of the file. All numbers are big-endian. (Source: `docs/interop/qcow2.txt` of
 * QEMU, versions 2 and 3 of the format.)
 */
import { viewOf } from '../../lib/byte-reader.ts';
import { malformed, unsupported } from '../image-error.ts';

/** `QFI\xfb`, the first four bytes. */
export const QCOW2_MAGIC = 0x514649fb;
/** A header is read and written as one sector, which devices write as a whole. */
export const HEADER_SECTOR_BYTES = 512;

/** The header of version 2. */
export const V2_HEADER_BYTES = 72;
const V3_HEADER_BYTES = 104;
/** The smallest and the largest clusters, as powers of two. */
export const CLUSTER_BITS_MIN = 9;
export const CLUSTER_BITS_MAX = 21;
const REFCOUNT_ORDER_MAX = 6;
export const BACKING_NAME_BYTES_MAX = 1023;
/** Bounds of the tables that are kept in memory; QEMU has the same. */
const L1_BYTES_MAX = 32 * 1024 * 1024;
const REFCOUNT_TABLE_BYTES_MAX = 8 * 1024 * 1024;
const SNAPSHOTS_MAX = 65_536;
const EXTENSION_END = 0;
export const EXTENSION_BACKING_FORMAT = 0xe2792aca;
const EXTENSION_FEATURE_NAMES = 0x6803f857;
const EXTENSION_BITMAPS = 0x23852875;

/** Incompatible features. */
export const QCOW2_INCOMPATIBLE = {
  dirty: 1,
  corrupt: 2,
  externalData: 4,
  compression: 8,
  extendedL2: 16,
} as const;
const KNOWN_INCOMPATIBLE = 31;
/** The compatible feature: refcounts may be behind while the dirty bit is set. */
export const LAZY_REFCOUNTS = 1;

/** Where the fields are in the header; all have 8 bytes unless said otherwise. */
export const HEADER_AT = {
  magic: 0,
  version: 4,
  backingOffset: 8,
  backingBytes: 16,
  clusterBits: 20,
  size: 24,
  cryptMethod: 32,
  l1Entries: 36,
  l1Offset: 40,
  refcountTableOffset: 48,
  refcountTableClusters: 56,
  snapshots: 60,
  snapshotsOffset: 64,
  incompatible: 72,
  compatible: 80,
  autoclear: 88,
  refcountOrder: 96,
  headerBytes: 100,
  compressionType: 104,
} as const;

/** How clusters of an image are compressed. */
export type Qcow2Compression = 'zlib' | 'zstd';

/** Where the persistent bitmaps of an image are listed. */
export interface BitmapDirectory {
  readonly count: number;
  readonly directoryBytes: number;
  readonly directoryOffset: number;
}

/** A header that has been checked. Offsets are multiples of the cluster size. */
export interface Qcow2Header {
  readonly version: 2 | 3;
  readonly clusterBits: number;
  readonly sizeBytes: number;
  readonly l1Entries: number;
  readonly l1Offset: number;
  readonly refcountTableOffset: number;
  readonly refcountTableClusters: number;
  readonly refcountOrder: number;
  readonly snapshots: number;
  readonly snapshotsOffset: number;
  /** The bits of `QCOW2_INCOMPATIBLE`. */
  readonly incompatible: number;
  readonly compatible: number;
  readonly compression: Qcow2Compression;
  /** The name of the backing image; `undefined` if there is none. */
  readonly backing: string | undefined;
  /** The format of the backing image, if the image says it. */
  readonly backingFormat: string | undefined;
  readonly bitmaps: BitmapDirectory | undefined;
  /** What the image says about the names of features it may use. */
  readonly featureNames: readonly string[];
}

/** Reads eight bytes as a number. Throws if JavaScript cannot hold it. */
export function u64(view: DataView, at: number, what: string, base = 0): number {
  const value = view.getBigUint64(at);
  if (value > BigInt(Number.MAX_SAFE_INTEGER))
    throw malformed(`${what} is ${value}, which no file can have`, base + at);
  return Number(value);
}

/**
 * Checks the header in the first bytes of an image: a cluster, or what the file has of it. Throws
 * `ImageError`.
 */
export function parseQcow2Header(bytes: Uint8Array): Qcow2Header {
  const view = viewOf(bytes);
  if (bytes.byteLength < V2_HEADER_BYTES)
    throw malformed(`a file of ${bytes.byteLength} bytes has no qcow2 header`);
  if (view.getUint32(HEADER_AT.magic) !== QCOW2_MAGIC) throw malformed('this is no qcow2 image', 0);
  const version = view.getUint32(HEADER_AT.version);
  if (version !== 2 && version !== 3)
    throw unsupported(`qcow2 version ${version}, not 2 or 3`, HEADER_AT.version);
  if (version === 3 && bytes.byteLength < V3_HEADER_BYTES) throw malformed('the header ends with the file');
  const clusterBits = view.getUint32(HEADER_AT.clusterBits);
  if (clusterBits < CLUSTER_BITS_MIN || clusterBits > CLUSTER_BITS_MAX) {
    throw malformed(`clusters of 2^${clusterBits} bytes; 2^9 to 2^21 are allowed`, HEADER_AT.clusterBits);
  }
  if (view.getUint32(HEADER_AT.cryptMethod) !== 0) {
    throw unsupported('the image is encrypted', HEADER_AT.cryptMethod);
  }
  const features = readFeatures(view, version);
  const fields = readTables(view, clusterBits, features.incompatible);
  const extensions = readExtensions(bytes, view, features.headerBytes, 2 ** clusterBits);
  const backing = readBackingName(bytes, view, 2 ** clusterBits);
  return { version, clusterBits, ...features, ...fields, ...extensions, backing };
}

type Features = Pick<Qcow2Header, 'incompatible' | 'compatible' | 'refcountOrder' | 'compression'> & {
  readonly headerBytes: number;
};

function readFeatures(view: DataView, version: 2 | 3): Features {
  if (version === 2) {
    return {
      incompatible: 0,
      compatible: 0,
      refcountOrder: 4,
      compression: 'zlib',
      headerBytes: V2_HEADER_BYTES,
    };
  }
  const unknown = view.getBigUint64(HEADER_AT.incompatible) & ~BigInt(KNOWN_INCOMPATIBLE);
  if (unknown !== 0n) {
    throw unsupported(`unknown incompatible features 0x${unknown.toString(16)}`, HEADER_AT.incompatible);
  }
  const incompatible = view.getUint32(HEADER_AT.incompatible + 4);
  if (incompatible & QCOW2_INCOMPATIBLE.externalData) {
    throw unsupported('the data lies in an external file', HEADER_AT.incompatible);
  }
  const refcountOrder = view.getUint32(HEADER_AT.refcountOrder);
  if (refcountOrder > REFCOUNT_ORDER_MAX) {
    throw malformed(`refcounts of 2^${refcountOrder} bits; at most 2^6 are allowed`, HEADER_AT.refcountOrder);
  }
  const headerBytes = view.getUint32(HEADER_AT.headerBytes);
  if (headerBytes < V3_HEADER_BYTES || headerBytes % 8 !== 0 || headerBytes > view.byteLength) {
    throw malformed(`a header of ${headerBytes} bytes`, HEADER_AT.headerBytes);
  }
  const compatible = view.getUint32(HEADER_AT.compatible + 4);
  return {
    incompatible,
    compatible,
    refcountOrder,
    compression: compressionOf(view, incompatible, headerBytes),
    headerBytes,
  };
}

function compressionOf(view: DataView, incompatible: number, headerBytes: number): Qcow2Compression {
  const type = headerBytes > HEADER_AT.compressionType ? view.getUint8(HEADER_AT.compressionType) : 0;
  const flagged = (incompatible & QCOW2_INCOMPATIBLE.compression) !== 0;
  if (type > 1)
    throw unsupported(`compression type ${type}, not 0 (zlib) or 1 (zstd)`, HEADER_AT.compressionType);
  if (flagged !== (type === 1)) {
    throw malformed(
      `compression type ${type} does not agree with the incompatible features`,
      HEADER_AT.compressionType,
    );
  }
  return type === 1 ? 'zstd' : 'zlib';
}

type Tables = Pick<
  Qcow2Header,
  | 'sizeBytes'
  | 'l1Entries'
  | 'l1Offset'
  | 'refcountTableOffset'
  | 'refcountTableClusters'
  | 'snapshots'
  | 'snapshotsOffset'
>;

function readTables(view: DataView, clusterBits: number, incompatible: number): Tables {
  const clusterBytes = 2 ** clusterBits;
  const offset = (at: number, what: string): number => {
    const value = u64(view, at, `the offset of the ${what}`);
    if (value % clusterBytes !== 0) throw malformed(`the ${what} at ${value} begins within a cluster`, at);
    return value;
  };
  const sizeBytes = u64(view, HEADER_AT.size, 'the size of the disk');
  const l1Entries = view.getUint32(HEADER_AT.l1Entries);
  const entryBytes = incompatible & QCOW2_INCOMPATIBLE.extendedL2 ? 16 : 8;
  const needed = Math.ceil(sizeBytes / (clusterBytes * (clusterBytes / entryBytes)));
  if (l1Entries < needed || l1Entries * 8 > L1_BYTES_MAX) {
    throw malformed(
      `an L1 table of ${l1Entries} entries for a disk of ${sizeBytes} bytes`,
      HEADER_AT.l1Entries,
    );
  }
  const refcountTableClusters = view.getUint32(HEADER_AT.refcountTableClusters);
  if (refcountTableClusters === 0 || refcountTableClusters * clusterBytes > REFCOUNT_TABLE_BYTES_MAX) {
    throw malformed(`a refcount table of ${refcountTableClusters} clusters`, HEADER_AT.refcountTableClusters);
  }
  const snapshots = view.getUint32(HEADER_AT.snapshots);
  if (snapshots > SNAPSHOTS_MAX) throw malformed(`${snapshots} snapshots`, HEADER_AT.snapshots);
  return {
    sizeBytes,
    l1Entries,
    l1Offset: offset(HEADER_AT.l1Offset, 'L1 table'),
    refcountTableOffset: offset(HEADER_AT.refcountTableOffset, 'refcount table'),
    refcountTableClusters,
    snapshots,
    snapshotsOffset: snapshots === 0 ? 0 : offset(HEADER_AT.snapshotsOffset, 'snapshot table'),
  };
}

function readBackingName(bytes: Uint8Array, view: DataView, clusterBytes: number): string | undefined {
  const offset = u64(view, HEADER_AT.backingOffset, 'the offset of the backing name');
  const length = view.getUint32(HEADER_AT.backingBytes);
  if (offset === 0 || length === 0) return undefined;
  const end = offset + length;
  if (length > BACKING_NAME_BYTES_MAX || end > Math.min(clusterBytes, bytes.byteLength)) {
    throw malformed(`a backing name of ${length} bytes at ${offset}`, HEADER_AT.backingBytes);
  }
  return new TextDecoder().decode(bytes.subarray(offset, end));
}

type Extensions = Pick<Qcow2Header, 'backingFormat' | 'bitmaps' | 'featureNames'>;

function readExtensions(bytes: Uint8Array, view: DataView, from: number, clusterBytes: number): Extensions {
  let backingFormat: string | undefined;
  let bitmaps: BitmapDirectory | undefined;
  const featureNames: string[] = [];
  const name = u64(view, HEADER_AT.backingOffset, 'the offset of the backing name');
  const end = Math.min(clusterBytes, bytes.byteLength, name === 0 ? Infinity : name);
  for (let at = from; at + 8 <= end; ) {
    const type = view.getUint32(at);
    const length = view.getUint32(at + 4);
    if (type === EXTENSION_END) break;
    if (length > end - at - 8)
      throw malformed(`a header extension of ${length} bytes goes beyond the header`, at);
    const content = bytes.subarray(at + 8, at + 8 + length);
    if (type === EXTENSION_BACKING_FORMAT) backingFormat = new TextDecoder().decode(content);
    else if (type === EXTENSION_BITMAPS && length >= BITMAPS_BYTES && keepsBitmaps(view, from)) {
      bitmaps = bitmapsAt(view, at + 8);
    } else if (type === EXTENSION_FEATURE_NAMES) featureNames.push(...namesIn(content));
    at += 8 + Math.ceil(length / 8) * 8;
  }
  return { backingFormat, bitmaps, featureNames };
}

const BITMAPS_BYTES = 24;

/** Whether the bitmaps belong to the disk as it is. Otherwise they are to be ignored. */
function keepsBitmaps(view: DataView, headerBytes: number): boolean {
  return headerBytes > V2_HEADER_BYTES && (view.getUint32(HEADER_AT.autoclear + 4) & 1) === 1;
}

function bitmapsAt(view: DataView, at: number): BitmapDirectory {
  return {
    count: view.getUint32(at),
    directoryBytes: u64(view, at + 8, 'the size of the bitmap directory'),
    directoryOffset: u64(view, at + 16, 'the offset of the bitmap directory'),
  };
}

const FEATURE_NAME_BYTES = 48;

function namesIn(content: Uint8Array): string[] {
  const names: string[] = [];
  for (let at = 0; at + FEATURE_NAME_BYTES <= content.byteLength; at += FEATURE_NAME_BYTES) {
    const text = new TextDecoder().decode(content.subarray(at + 2, at + FEATURE_NAME_BYTES));
    names.push(text.replace(/\0.*$/s, ''));
  }
  return names;
}
