/** A qcow2 file that is open: its header and its tables, as the next commit will write them. */
import { Mutex } from '@ginit/core/async';
import { type ByteDevice, readPadded } from '../byte-device.ts';
import { malformed } from '../image-error.ts';
import {
  CLUSTER_BITS_MAX,
  CLUSTER_BITS_MIN,
  HEADER_AT,
  HEADER_SECTOR_BYTES,
  parseQcow2Header,
  QCOW2_INCOMPATIBLE,
  type Qcow2Header,
  u64,
} from './header.ts';
import { type EntryForm, isSharedL1Entry, readL1Entry } from './l2-entry.ts';
import { Refcounts } from './refcounts.ts';
import { TableCache } from '../table-cache.ts';

/** The memory for tables of each kind, and the least number of tables. */
const CACHE_BYTES = 8 * 1024 * 1024;
const CACHE_TABLES_MIN = 8;

/** How an entry of the disk's tables is found. */
export interface Qcow2Form extends EntryForm {
  /** The number of entries of an L2 table. */
  readonly l2Entries: number;
}

/** An open file. */
export class Qcow2File {
  readonly device: ByteDevice;
  readonly form: Qcow2Form;
  readonly l2: TableCache;
  /** Held by whoever changes tables or gives clusters away. */
  readonly tablesMutex = new Mutex();
  /** The header on stable storage, or what the next commit will make of it. */
  header: Qcow2Header;
  /** The first sector of the file. */
  readonly sector: Uint8Array;
  /** Where the L2 tables are; 0 for one that does not exist. */
  l1: Float64Array;
  l1Changed = false;
  /** Which L2 tables are also those of a snapshot, by their index in the L1 table. */
  readonly sharedTables: Set<number>;
  /** The counts, if the file may be written. */
  #refcounts: Refcounts | undefined;
  /** The clusters of tables, which no data may be written to. */
  readonly tables = new Set<number>();

  /** Reads the header and the L1 table. Rejects with `ImageError`. */
  static async open(device: ByteDevice): Promise<Qcow2File> {
    const { header, sector } = await readQcow2Header(device);
    const bytes = new Uint8Array(header.l1Entries * 8);
    checkWithin(device, header.l1Offset, bytes.byteLength, HEADER_AT.l1Offset, 'L1 table');
    await readPadded(device, bytes, header.l1Offset);
    const view = new DataView(bytes.buffer);
    const l1 = Float64Array.from({ length: header.l1Entries }, (_, index) =>
      readL1Entry(view, index, 2 ** header.clusterBits, header.l1Offset),
    );
    const shared = [...l1.keys()].filter((index) => l1[index] !== 0 && isSharedL1Entry(view, index));
    return new Qcow2File(device, header, sector, { l1, shared });
  }

  private constructor(
    device: ByteDevice,
    header: Qcow2Header,
    sector: Uint8Array,
    { l1, shared }: { readonly l1: Float64Array; readonly shared: readonly number[] },
  ) {
    const clusterBytes = 2 ** header.clusterBits;
    const entryBytes = header.incompatible & QCOW2_INCOMPATIBLE.extendedL2 ? 16 : 8;
    this.device = device;
    this.header = header;
    this.sector = sector;
    this.l1 = l1;
    this.sharedTables = new Set(shared);
    this.form = {
      clusterBits: header.clusterBits,
      clusterBytes,
      entryBytes,
      version: header.version,
      l2Entries: clusterBytes / entryBytes,
    };
    this.l2 = new TableCache(clusterBytes, tablesMax(clusterBytes), (key, into) =>
      readPadded(device, into, this.l1[key] ?? 0),
    );
  }

  get refcounts(): Refcounts {
    if (!this.#refcounts) throw new Error('the refcounts of this image are not open');
    return this.#refcounts;
  }

  /** Whether the refcounts are open. */
  get hasRefcounts(): boolean {
    return this.#refcounts !== undefined;
  }

  /** Reads the refcount table, so that the file can be written. */
  async openRefcounts(): Promise<void> {
    this.useRefcounts(await readRefcountTable(this.device, this.header));
  }

  /** Takes these refcount blocks. */
  useRefcounts(blocks: Float64Array): void {
    const { clusterBytes } = this.form;
    const { header } = this;
    this.tables.clear();
    this.addTable(0, clusterBytes);
    this.addTable(header.l1Offset, this.l1.length * 8);
    this.addTable(header.refcountTableOffset, header.refcountTableClusters * clusterBytes);
    for (const offset of [...this.l1, ...blocks]) if (offset !== 0) this.addTable(offset, clusterBytes);
    this.#refcounts = new Refcounts(
      {
        clusterBytes,
        refcountOrder: header.refcountOrder,
        tablesMax: tablesMax(clusterBytes),
        read: (into, position) => readPadded(this.device, into, position),
        isTable: (cluster) => this.tables.has(cluster),
      },
      blocks,
      this.device.sizeBytes,
    );
  }

  /** Notes that a table lies there. */
  addTable(offset: number, bytes: number): void {
    for (const cluster of this.clustersOf(offset, bytes)) this.tables.add(cluster);
  }

  /** Notes that no table lies there any more. */
  removeTable(offset: number, bytes: number): void {
    for (const cluster of this.clustersOf(offset, bytes)) this.tables.delete(cluster);
  }

  /** The numbers of the clusters that a range of the file touches. */
  clustersOf(offset: number, bytes: number): number[] {
    if (bytes === 0) return [];
    const first = Math.floor(offset / this.form.clusterBytes);
    const last = Math.floor((offset + bytes - 1) / this.form.clusterBytes);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  }

  /** The first cluster of a range of the file that holds a table. It is asked for each write. */
  tableWithin(offset: number, bytes: number): number | undefined {
    const { clusterBytes } = this.form;
    const end = Math.ceil((offset + bytes) / clusterBytes);
    for (let cluster = Math.floor(offset / clusterBytes); cluster < end; cluster++) {
      if (this.tables.has(cluster)) return cluster;
    }
    return undefined;
  }

  /** Runs `work` while nobody else changes tables. */
  async changingTables<Result>(work: () => Promise<Result>): Promise<Result> {
    await this.tablesMutex.acquire();
    try {
      return await work();
    } finally {
      this.tablesMutex.release();
    }
  }

  /** The first sector of a header with these fields. */
  sectorOf(header: Qcow2Header): Uint8Array {
    const sector = this.sector.slice();
    const view = new DataView(sector.buffer);
    view.setBigUint64(HEADER_AT.size, BigInt(header.sizeBytes));
    view.setUint32(HEADER_AT.l1Entries, header.l1Entries);
    view.setBigUint64(HEADER_AT.l1Offset, BigInt(header.l1Offset));
    view.setBigUint64(HEADER_AT.refcountTableOffset, BigInt(header.refcountTableOffset));
    view.setUint32(HEADER_AT.refcountTableClusters, header.refcountTableClusters);
    if (header.version === 3) {
      view.setBigUint64(HEADER_AT.incompatible, BigInt(header.incompatible));
      // Whoever changes an image clears these unless he keeps what they stand for up to date.
      view.setBigUint64(HEADER_AT.autoclear, 0n);
    }
    return sector;
  }
}

/** Reads the header of a file, and its first sector. Rejects with `ImageError`. */
export async function readQcow2Header(
  device: ByteDevice,
): Promise<{ readonly header: Qcow2Header; readonly sector: Uint8Array }> {
  const sector = new Uint8Array(HEADER_SECTOR_BYTES);
  await readPadded(device, sector, 0);
  const stated = new DataView(sector.buffer).getUint32(HEADER_AT.clusterBits);
  const clusterBits = Math.min(CLUSTER_BITS_MAX, Math.max(CLUSTER_BITS_MIN, stated));
  const cluster = new Uint8Array(Math.min(device.sizeBytes, 2 ** clusterBits));
  await device.read(cluster, 0);
  return { header: parseQcow2Header(cluster), sector };
}

function tablesMax(clusterBytes: number): number {
  return Math.max(CACHE_TABLES_MIN, Math.floor(CACHE_BYTES / clusterBytes));
}

function checkWithin(device: ByteDevice, offset: number, bytes: number, at: number, what: string): void {
  if (bytes === 0 || (offset > 0 && offset <= device.sizeBytes)) return;
  throw malformed(`the ${what} at ${offset} lies outside the ${device.sizeBytes} bytes of the file`, at);
}

/** Reads where the refcount blocks are. Rejects with `ImageError`. */
export async function readRefcountTable(device: ByteDevice, header: Qcow2Header): Promise<Float64Array> {
  const { refcountTableOffset: offset, refcountTableClusters, clusterBits } = header;
  const clusterBytes = 2 ** clusterBits;
  const bytes = new Uint8Array(refcountTableClusters * clusterBytes);
  checkWithin(device, offset, bytes.byteLength, HEADER_AT.refcountTableOffset, 'refcount table');
  await readPadded(device, bytes, offset);
  const view = new DataView(bytes.buffer);
  return Float64Array.from({ length: bytes.byteLength / 8 }, (_, index) => {
    const block = u64(view, index * 8, 'the offset of a refcount block', offset);
    if (block % clusterBytes !== 0) {
      throw malformed(`refcount block ${index} at ${block} begins within a cluster`, offset + index * 8);
    }
    return block;
  });
}
