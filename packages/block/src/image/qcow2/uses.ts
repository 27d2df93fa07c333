/**
 * How often each cluster of a file is really used: by the header, by its tables, by the disk, by
 * internal snapshots and by bitmaps. A walk over all tables, which believes no refcount.
 */
import { readPadded } from '../byte-device.ts';
import { ImageError, unsupported } from '../image-error.ts';
import { bitmapTables } from './bitmaps.ts';
import { type Mapping, readEntry, readL1Entry } from './l2-entry.ts';
import type { Qcow2File } from './qcow2-file.ts';
import { snapshotTables } from './snapshots.ts';

/** The largest file that is walked, in clusters; it takes three bytes of memory for each. */
const CLUSTERS_MAX = 2 ** 28;
const USES_MAX = 0xffff;

/** Flags of a cluster of the disk. */
export const MARKED = { sole: 1, shared: 2 } as const;

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
    if (offset !== 0) await walk.table(offset, `L2 table ${index}`, true);
    options.progress?.(index / file.l1.length);
  }
  const { tables, bytes } = await snapshotTables(file);
  walk.use(header.snapshotsOffset, bytes, 'the snapshot table');
  for (const { offset, entries, name } of tables) await walk.snapshot(offset, entries, name);
  for (const { offset, length, what } of await bitmapTables(file)) walk.use(offset, length, what);
  return walk;
}

class UsesWalk implements Uses {
  readonly counts: Uint16Array;
  readonly marks: Uint8Array;
  dataClusters = 0;
  compressedClusters = 0;
  readonly #file: Qcow2File;
  readonly #complain: Complain;

  constructor(file: Qcow2File, complain: Complain) {
    const clusters = Math.ceil(file.device.sizeBytes / file.form.clusterBytes);
    if (clusters > CLUSTERS_MAX)
      throw unsupported(`a file of ${clusters} clusters is too large to be checked`);
    this.#file = file;
    this.#complain = complain;
    this.counts = new Uint16Array(clusters);
    this.marks = new Uint8Array(clusters);
  }

  /** Counts a use of the clusters of a range. The result says whether they are in the file. */
  use(offset: number, bytes: number, what: string): boolean {
    if (bytes === 0) return true;
    const clusters = this.#file.clustersOf(offset, bytes);
    const outside = clusters.find((cluster) => cluster >= this.counts.length);
    if (outside !== undefined) {
      this.#complain(`${what} is at byte ${offset}, behind the end of the file`);
      return false;
    }
    for (const cluster of clusters) {
      this.counts[cluster] = Math.min(USES_MAX, (this.counts[cluster] ?? 0) + 1);
    }
    return true;
  }

  /** Counts an L2 table and what its entries use. */
  async table(offset: number, what: string, active: boolean): Promise<void> {
    const { form, device } = this.#file;
    if (!this.use(offset, form.clusterBytes, what)) return;
    const bytes = new Uint8Array(form.clusterBytes);
    await readPadded(device, bytes, offset);
    const view = new DataView(bytes.buffer);
    for (let index = 0; index < form.l2Entries; index++) {
      const mapping = this.#entry(view, index, offset);
      if (mapping) this.#useMapping(mapping, `entry ${index} of ${what}`, active);
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

  #useMapping(mapping: Mapping, what: string, active: boolean): void {
    const { clusterBytes } = this.#file.form;
    switch (mapping.kind) {
      case 'none':
        return;
      case 'compressed':
        if (this.use(mapping.host, mapping.bytes, what) && active) this.compressedClusters++;
        return;
      case 'zero':
        if (mapping.host !== undefined) this.use(mapping.host, clusterBytes, what);
        return;
      case 'subclusters':
        if (mapping.host !== 0 && this.use(mapping.host, clusterBytes, what) && active) this.dataClusters++;
        return;
      case 'data': {
        if (!this.use(mapping.host, clusterBytes, what) || !active) return;
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
        if (table !== 0) await this.table(table, `L2 table ${index} of snapshot "${name}"`, false);
      } catch (error) {
        if (!(error instanceof ImageError)) throw error;
        this.#complain(error.message);
      }
    }
  }
}
