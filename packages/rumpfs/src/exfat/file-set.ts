/**
 * The entries of a file or directory, which stand one behind the other:
 *
 *     file    0 0x85 · 1 entries that follow · 2 checksum (2) · 4 attributes (2) · 8 times of
 *             creation, 12 change, 16 access (4 each) · 20 and 21 hundredths of the first two ·
 *             22, 23, 24 their offsets from UTC
 *     stream  0 0xc0 · 1 flags: 1 may have clusters, 2 in one piece · 3 units of the name ·
 *             4 hash of the name (2) · 8 bytes that were written (8) · 20 first cluster (4) ·
 *             24 size (8)
 *     name    0 0xc1 · 2 fifteen units of UTF-16; as many of these as the name needs
 *
 * Others that may be ignored can follow. The checksum is over all of it but itself. What is behind
 * the bytes that were written, up to the size, counts as zeros.
 */
import { ATTRIBUTE } from '../fat/attribute.ts';
import type { ExfatTime } from './exfat-time.ts';
import { ENTRY, ENTRY_BYTES, isBenign } from './entry-types.ts';
import type { UpcaseTable } from './upcase-table.ts';

export const UNITS_PER_ENTRY = 15;
/** The most entries that belong together. */
export const SET_ENTRIES_MAX = 256;

const STREAM = ENTRY_BYTES;
const FIRST_NAME = 2 * ENTRY_BYTES;
const FLAG_ALLOCATABLE = 0x01;
const FLAG_CONTIGUOUS = 0x02;

/** The times that a set has. */
export type TimeKind = 'created' | 'modified' | 'accessed';

const STAMP_AT = { created: 8, modified: 12, accessed: 16 } as const;
const HUNDREDTHS_AT = { created: 20, modified: 21, accessed: undefined } as const;
const OFFSET_AT = { created: 22, modified: 23, accessed: 24 } as const;

/** Clusters that an entry has beside those of the file. */
export interface ExtraClusters {
  readonly first: number;
  readonly sizeBytes: number;
  readonly contiguous: boolean;
}

/** The number of entries that a file with such a name takes. */
export function entriesFor(name: string): number {
  return 2 + Math.ceil(name.length / UNITS_PER_ENTRY);
}

/** The entries of one file in memory. */
export class FileSet {
  /** All of them; `seal` brings them up to date. */
  bytes: Uint8Array;
  name: string;
  attributes: number;
  firstCluster: number;
  /** Whether the clusters are in one piece. */
  contiguous: boolean;
  sizeBytes: number;
  /** Bytes that were written; what follows counts as zeros. */
  validBytes: number;
  #view: DataView;

  /** @param bytes entries that `set-walk.ts` has put together */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.name = nameIn(this.#view);
    this.attributes = this.#view.getUint16(4, true);
    const flags = this.#view.getUint8(STREAM + 1);
    const allocated = (flags & FLAG_ALLOCATABLE) !== 0;
    this.contiguous = allocated && (flags & FLAG_CONTIGUOUS) !== 0;
    this.firstCluster = allocated ? this.#view.getUint32(STREAM + 20, true) : 0;
    this.validBytes = Number(this.#view.getBigUint64(STREAM + 8, true));
    this.sizeBytes = Number(this.#view.getBigUint64(STREAM + 24, true));
  }

  /** The entries of a new file. */
  static make(name: string, attributes: number, upcase: UpcaseTable): FileSet {
    const entries = entriesFor(name);
    const bytes = new Uint8Array(entries * ENTRY_BYTES);
    const view = new DataView(bytes.buffer);
    view.setUint8(0, ENTRY.file);
    view.setUint8(1, entries - 1);
    view.setUint16(4, attributes, true);
    view.setUint8(STREAM, ENTRY.stream);
    view.setUint8(STREAM + 3, name.length);
    view.setUint16(STREAM + 4, upcase.hashOf(name), true);
    for (let entry = 2; entry < entries; entry += 1) view.setUint8(entry * ENTRY_BYTES, ENTRY.name);
    for (let index = 0; index < name.length; index += 1)
      view.setUint16(unitOffset(index), name.charCodeAt(index), true);
    return new FileSet(bytes);
  }

  get isDirectory(): boolean {
    return (this.attributes & ATTRIBUTE.directory) !== 0;
  }

  get entries(): number {
    return this.bytes.length / ENTRY_BYTES;
  }

  time(kind: TimeKind): ExfatTime {
    const at = HUNDREDTHS_AT[kind];
    return {
      stamp: this.#view.getUint32(STAMP_AT[kind], true),
      hundredths: at === undefined ? 0 : this.#view.getUint8(at),
      offset: this.#view.getUint8(OFFSET_AT[kind]),
    };
  }

  setTime(kind: TimeKind, { stamp, hundredths, offset }: ExfatTime): void {
    this.#view.setUint32(STAMP_AT[kind], stamp, true);
    const at = HUNDREDTHS_AT[kind];
    if (at !== undefined) this.#view.setUint8(at, hundredths);
    this.#view.setUint8(OFFSET_AT[kind], offset);
  }

  /** The same file with another name; entries that may be ignored go along. */
  renamed(name: string, upcase: UpcaseTable): FileSet {
    const fresh = FileSet.make(name, this.attributes, upcase);
    const extra = this.bytes.subarray(entriesFor(this.name) * ENTRY_BYTES);
    const bytes = new Uint8Array(fresh.bytes.length + extra.length);
    bytes.set(fresh.bytes);
    bytes.set(extra, fresh.bytes.length);
    bytes[1] = bytes.length / ENTRY_BYTES - 1;
    const renamed = new FileSet(bytes);
    for (const kind of ['created', 'modified', 'accessed'] as const) renamed.setTime(kind, this.time(kind));
    renamed.#take(this);
    return renamed;
  }

  /**
   * The file of `this` under the name that another one has; neither has entries beside the usual.
   */
  inPlaceOf(other: FileSet): FileSet {
    const bytes = other.bytes.slice();
    bytes.set(this.bytes.subarray(4, STREAM), 4);
    const set = new FileSet(bytes);
    set.#take(this);
    return set;
  }

  /** Takes the entries, and the name in them, of another set for the same file. */
  moveTo(other: FileSet): void {
    for (const kind of ['created', 'modified', 'accessed'] as const) other.setTime(kind, this.time(kind));
    this.bytes = other.bytes;
    this.name = other.name;
    this.#view = other.#view;
  }

  /** Whether entries follow that may be ignored. */
  get hasExtra(): boolean {
    return this.entries > entriesFor(this.name);
  }

  /** The clusters of entries that may be ignored. */
  extraClusters(): ExtraClusters[] {
    const found: ExtraClusters[] = [];
    for (let at = entriesFor(this.name) * ENTRY_BYTES; at < this.bytes.length; at += ENTRY_BYTES) {
      const flags = this.#view.getUint8(at + 1);
      const first = this.#view.getUint32(at + 20, true);
      if (!isBenign(this.#view.getUint8(at)) || (flags & FLAG_ALLOCATABLE) === 0 || first === 0) continue;
      const sizeBytes = Number(this.#view.getBigUint64(at + 24, true));
      found.push({ first, sizeBytes, contiguous: (flags & FLAG_CONTIGUOUS) !== 0 });
    }
    return found;
  }

  /** Brings `bytes` up to date, and the checksum with it. */
  seal(): void {
    const view = this.#view;
    view.setUint16(4, this.attributes, true);
    const contiguous = this.contiguous && this.firstCluster !== 0;
    view.setUint8(STREAM + 1, FLAG_ALLOCATABLE | (contiguous ? FLAG_CONTIGUOUS : 0));
    view.setBigUint64(STREAM + 8, BigInt(this.validBytes), true);
    view.setUint32(STREAM + 20, this.firstCluster, true);
    view.setBigUint64(STREAM + 24, BigInt(this.sizeBytes), true);
    view.setUint16(2, setChecksum(this.bytes), true);
  }

  #take(other: FileSet): void {
    this.attributes = other.attributes;
    this.firstCluster = other.firstCluster;
    this.contiguous = other.contiguous;
    this.sizeBytes = other.sizeBytes;
    this.validBytes = other.validBytes;
  }
}

/** The checksum of the entries that belong together. */
export function setChecksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let index = 0; index < bytes.length; index += 1) {
    if (index === 2 || index === 3) continue;
    sum = (((sum << 15) | (sum >>> 1)) + (bytes[index] ?? 0)) & 0xffff;
  }
  return sum;
}

/** The name in a set, unit by unit. */
export function nameIn(view: DataView): string {
  const length = view.getUint8(STREAM + 3);
  const units = new Uint16Array(length);
  for (let index = 0; index < length; index += 1) units[index] = view.getUint16(unitOffset(index), true);
  return String.fromCharCode(...units);
}

/** The place of a unit of the name. */
function unitOffset(index: number): number {
  const entry = Math.floor(index / UNITS_PER_ENTRY);
  return FIRST_NAME + entry * ENTRY_BYTES + 2 + (index % UNITS_PER_ENTRY) * 2;
}
