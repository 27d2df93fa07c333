/**
 * Entries of L2 tables: where the cluster of the disk is in the file. An entry has eight bytes, or
 * sixteen if clusters are divided into 32 subclusters, whose states are in the other eight.
 */
import { malformed } from '../image-error.ts';

const COPIED = 0x8000_0000;
const COMPRESSED = 0x4000_0000;
const OFFSET_HIGH = 0x00ff_ffff;
const OFFSET_LOW = 0xffff_fe00;
const ZERO = 1;
const HIGH = 2 ** 32;
const SECTOR_BYTES = 512;
/** The number of subclusters of a cluster. */
export const SUBCLUSTERS = 32;

/** What an entry says about its cluster. */
export type Mapping =
  | { readonly kind: 'none' }
  /** Reads as zeros. A cluster of the file may be kept for it. */
  | { readonly kind: 'zero'; readonly host: number | undefined }
  /** `sole` if nothing else uses the cluster of the file, so that it may be written in place. */
  | { readonly kind: 'data'; readonly host: number; readonly sole: boolean }
  | { readonly kind: 'compressed'; readonly host: number; readonly bytes: number }
  /** Each subcluster by itself: bit n says that subcluster n has data, or is zero. */
  | { readonly kind: 'subclusters'; readonly host: number; readonly data: number; readonly zero: number };

/** How entries of an image are to be read. */
export interface EntryForm {
  readonly clusterBits: number;
  readonly clusterBytes: number;
  readonly entryBytes: 8 | 16;
  readonly version: 2 | 3;
}

/**
 * Reads the entry with this index. `tableAt` is where the table is in the file, for errors. Throws
 * if the entry contradicts itself.
 */
export function readEntry(form: EntryForm, table: DataView, index: number, tableAt: number): Mapping {
  const at = index * form.entryBytes;
  const high = table.getUint32(at);
  const low = table.getUint32(at + 4);
  if (high & COMPRESSED) return compressed(form, table.getBigUint64(at));
  const host = (high & OFFSET_HIGH) * HIGH + ((low & OFFSET_LOW) >>> 0);
  if (host % form.clusterBytes !== 0 || host > Number.MAX_SAFE_INTEGER - form.clusterBytes) {
    throw malformed(`an L2 entry leads to ${host}, where no cluster begins`, tableAt + at);
  }
  if (form.entryBytes === 16) return subclusters(table, at, host, tableAt);
  if (low & ZERO && form.version === 3) return { kind: 'zero', host: host === 0 ? undefined : host };
  if (host === 0) return { kind: 'none' };
  return { kind: 'data', host, sole: (high & COPIED) !== 0 };
}

function compressed({ clusterBits }: EntryForm, entry: bigint): Mapping {
  const offsetBits = BigInt(62 - (clusterBits - 8));
  const host = Number(entry & ((1n << offsetBits) - 1n));
  const sectors = Number((entry & ((1n << 62n) - 1n)) >> offsetBits) + 1;
  return { kind: 'compressed', host, bytes: sectors * SECTOR_BYTES - (host % SECTOR_BYTES) };
}

function subclusters(table: DataView, at: number, host: number, tableAt: number): Mapping {
  const zero = table.getUint32(at + 8);
  const data = table.getUint32(at + 12);
  if ((zero & data) !== 0 || (data !== 0 && host === 0)) {
    throw malformed('an L2 entry contradicts its subclusters', tableAt + at);
  }
  if (data === 0 && zero === 0) return { kind: 'none' };
  return { kind: 'subclusters', host, data, zero };
}

/** Writes an entry of eight bytes for a cluster of the file that nothing else uses. */
export function writeData(table: DataView, index: number, host: number): void {
  table.setUint32(index * 8, (COPIED | Math.floor(host / HIGH)) >>> 0);
  table.setUint32(index * 8 + 4, host % HIGH);
}

/** Writes an entry without a cluster of the file. */
export function writeNothing(table: DataView, index: number, zero: boolean): void {
  table.setUint32(index * 8, 0);
  table.setUint32(index * 8 + 4, zero ? ZERO : 0);
}

/** Writes an entry for a compressed cluster; `bytes` of data are at `host`. */
export function writeCompressed(
  table: DataView,
  index: number,
  clusterBits: number,
  host: number,
  bytes: number,
): void {
  const offsetBits = BigInt(62 - (clusterBits - 8));
  const sectors = Math.floor((host + bytes - 1) / SECTOR_BYTES) - Math.floor(host / SECTOR_BYTES);
  const entry = (1n << 62n) | (BigInt(sectors) << offsetBits) | BigInt(host);
  table.setBigUint64(index * 8, entry);
}

/** The offset and flag of an entry of an L1 table. Throws if it leads to no cluster. */
export function readL1Entry(view: DataView, index: number, clusterBytes: number, tableAt: number): number {
  const host =
    (view.getUint32(index * 8) & OFFSET_HIGH) * HIGH + ((view.getUint32(index * 8 + 4) & OFFSET_LOW) >>> 0);
  if (host % clusterBytes !== 0 || host > Number.MAX_SAFE_INTEGER - clusterBytes) {
    throw malformed(`an L1 entry leads to ${host}, where no cluster begins`, tableAt + index * 8);
  }
  return host;
}

/** Whether an entry of an L1 table leads to an L2 table that a snapshot uses, too. */
export function isSharedL1Entry(view: DataView, index: number): boolean {
  return view.getUint32(index * 8) < COPIED;
}

/** Writes an entry of an L1 table; 0 is none. `sole` if nothing else uses that L2 table. */
export function writeL1Entry(view: DataView, index: number, host: number, sole: boolean): void {
  if (host === 0) return writeNothing(view, index, false);
  writeData(view, index, host);
  if (!sole) view.setUint32(index * 8, Math.floor(host / HIGH));
}
