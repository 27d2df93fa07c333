/**
 * How often each cluster of a file is really used: by the header, by its tables, by the disk, by
 * internal snapshots and by bitmaps. A walk over all tables, which believes no refcount. An L2
 * table that several L1 entries lead to is looked at once, and counts as often: however often an
 * image names the same table, the walk is no longer than the file.
 */
import { readPadded } from '../byte-device.ts';
import { ImageError, unsupported } from '../image-error.ts';
import { bitmapTables } from './bitmaps.ts';
import { type Mapping, readEntry, readL1Entry } from './l2-entry.ts';
import type { Qcow2File } from './qcow2-file.ts';
import { snapshotTables } from './snapshots.ts';

/** The largest file that is walked, in clusters; it takes five bytes of memory for each. */
const CLUSTERS_MAX = 2 ** 27;
const USES_MAX = 0xffff;

/** Flags of a cluster: how entries of the disk have it, and whether it is a table of the disk. */
export const MARKED = { sole: 1, shared: 2, table: 4 } as const;

/** Is told of each thing that is wrong. */
export type Complain = (problem: string) => void;

/** What a walk has found. */
export interface Uses {
  readonly counts: Uint16Array;
  /** The bits of `MARKED` that entries of the disk's own tables had for each cluster. */
  readonly marks: Uint8Array;
  readonly dataClusters: number;
  readonly compressedClusters: number;
}

/** Which parts are counted. */
export interface UsesOptions {
  /** Where the refcount blocks are. */
  readonly blocks: Float64Array;
  readonly complain: Complain;
  /** Is told how far the walk has come, from 0 to 1. */
  readonly progress?: (share: number) => void;
}

/** Walks over all tables. Rejects with `ImageError` if the file is too large for that. */
export async function countUses(file: Qcow2File, options: UsesOptions): Promise<Uses> {
  const walk = new UsesWalk(file, options.complain);
  const { header, form } = file;
  walk.use(0, form.clusterBytes, 'the header');
  walk.use(
    header.refcountTableOffset,
    header.refcountTableClusters * form.clusterBytes,
    'the refcount table',
  );
  for (const [index, block] of options.blocks.entries()) {
    if (block !== 0) walk.use(block, form.clusterBytes, `refcount block ${index}`);
  }
  walk.use(header.l1Offset, header.l1Entries * 8, 'the L1 table');
  for (const [index, offset] of file.l1.entries()) {
    if (offset !== 0) walk.useTable(offset, `L2 table ${index}`, true);
  }
  const { tables, bytes } = await snapshotTables(file);
  walk.use(header.snapshotsOffset, bytes, 'the snapshot table');
  for (const { offset, entries, name } of tables) await walk.snapshot(offset, entries, name);
  await walk.tables(options.progress);
  await bitmapTables(file, ({ offset, length, what }) => walk.use(offset, length, what));
  return walk;
}

class UsesWalk implements Uses {
  readonly counts: Uint16Array;
  readonly marks: Uint8Array;
  dataClusters = 0;
  compressedClusters = 0;
  readonly #file: Qcow2File;
  readonly #complain: Complain;
  /** How often each cluster is named as an L2 table. */
  readonly #tableUses: Uint16Array;

  constructor(file: Qcow2File, complain: Complain) {
    const clusters = Math.ceil(file.device.sizeBytes / file.form.clusterBytes);
    if (clusters > CLUSTERS_MAX)
      throw unsupported(`a file of ${clusters} clusters is too large to be checked`);
    this.#file = file;
    this.#complain = complain;
    this.counts = new Uint16Array(clusters);
    this.marks = new Uint8Array(clusters);
    this.#tableUses = new Uint16Array(clusters);
  }

  /** Counts uses of the clusters of a range. The result says whether they are in the file. */
  use(offset: number, bytes: number, what: string, times = 1): boolean {
    if (bytes === 0) return true;
    const { clusterBytes } = this.#file.form;
    const first = Math.floor(offset / clusterBytes);
    const last = Math.floor((offset + bytes - 1) / clusterBytes);
    if (last >= this.counts.length) {
      this.#complain(`${what} is at byte ${offset}, behind the end of the file`);
      return false;
    }
    for (let cluster = first; cluster <= last; cluster++) add(this.counts, cluster, times);
    return true;
  }

  /** Counts a use of an L2 table, whose entries `tables` looks at. */
  useTable(offset: number, what: string, active: boolean): void {
    if (!this.use(offset, this.#file.form.clusterBytes, what)) return;
    const cluster = offset / this.#file.form.clusterBytes;
    add(this.#tableUses, cluster, 1);
    if (active) this.marks[cluster] = (this.marks[cluster] ?? 0) | MARKED.table;
  }

  /** Counts what the entries of all L2 tables use. */
  async tables(progress?: (share: number) => void): Promise<void> {
    const { form, device } = this.#file;
    const bytes = new Uint8Array(form.clusterBytes);
    const view = new DataView(bytes.buffer);
    // A loop over indexes: an iterator takes many times as long, and files have many clusters.
    for (let cluster = 0; cluster < this.#tableUses.length; cluster++) {
      const times = this.#tableUses[cluster] ?? 0;
      if (times === 0) continue;
      const offset = cluster * form.clusterBytes;
      const active = ((this.marks[cluster] ?? 0) & MARKED.table) !== 0;
      await readPadded(device, bytes, offset);
      for (let index = 0; index < form.l2Entries; index++) {
        const mapping = this.#entry(view, index, offset);
        if (mapping) this.#useMapping(mapping, offset, index, times, active);
      }
      progress?.(cluster / this.counts.length);
    }
  }

  #entry(view: DataView, index: number, offset: number): Mapping | undefined {
    try {
      return readEntry(this.#file.form, view, index, offset);
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      this.#complain(error.message);
      return undefined;
    }
  }

  #useMapping(mapping: Mapping, table: number, index: number, times: number, active: boolean): void {
    const { clusterBytes } = this.#file.form;
    const use = (host: number, bytes: number): boolean =>
      this.use(host, bytes, `what entry ${index} of the L2 table at byte ${table} leads to`, times);
    switch (mapping.kind) {
      case 'none':
        return;
      case 'compressed':
        if (use(mapping.host, mapping.bytes) && active) this.compressedClusters++;
        return;
      case 'zero':
        if (mapping.host !== undefined) use(mapping.host, clusterBytes);
        return;
      case 'subclusters':
        if (mapping.host !== 0 && use(mapping.host, clusterBytes) && active) this.dataClusters++;
        return;
      case 'data': {
        if (!use(mapping.host, clusterBytes) || !active) return;
        this.dataClusters++;
        const cluster = mapping.host / clusterBytes;
        this.marks[cluster] = (this.marks[cluster] ?? 0) | (mapping.sole ? MARKED.sole : MARKED.shared);
      }
    }
  }

  /** Counts the tables of an internal snapshot. */
  async snapshot(offset: number, entries: number, name: string): Promise<void> {
    const what = `the L1 table of snapshot "${name}"`;
    if (!this.use(offset, entries * 8, what)) return;
    const bytes = new Uint8Array(entries * 8);
    await readPadded(this.#file.device, bytes, offset);
    const view = new DataView(bytes.buffer);
    for (let index = 0; index < entries; index++) {
      try {
        const table = readL1Entry(view, index, this.#file.form.clusterBytes, offset);
        if (table !== 0) this.useTable(table, `L2 table ${index} of snapshot "${name}"`, false);
      } catch (error) {
        if (!(error instanceof ImageError)) throw error;
        this.#complain(error.message);
      }
    }
  }
}

function add(counts: Uint16Array, index: number, times: number): void {
  counts[index] = Math.min(USES_MAX, (counts[index] ?? 0) + times);
}
