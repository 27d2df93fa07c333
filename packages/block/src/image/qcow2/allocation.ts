/**
 * Clusters for the disk: taken from the file, put into the L2 tables, and freed. Data is on its way
 * to a new cluster before any table names it; tables change only in memory, until a commit.
 */
import { malformed } from '../image-error.ts';
import { RequestsUnderWay } from '../requests-under-way.ts';
import { type Mapping, readEntry, writeCompressed, writeData, writeNothing } from './l2-entry.ts';
import type { Qcow2File } from './qcow2-file.ts';
import type { Run } from './refcounts.ts';

/** Clusters that a commit has freed, and that requests from before it may still read or write. */
interface Leaving {
  readonly clusters: readonly number[];
  readonly mark: number;
}

/** What an entry of the disk's tables becomes. */
export type NewMapping =
  | { readonly kind: 'data'; readonly cluster: number }
  | { readonly kind: 'compressed'; readonly host: number; readonly bytes: number }
  | { readonly kind: 'none' | 'zero' };

/** The clusters of an open file. */
export class Allocation {
  readonly requests = new RequestsUnderWay();
  readonly #file: Qcow2File;
  readonly #reused: () => void;
  #leaving: Leaving[] = [];
  /** Clusters that were given up to give their space back, until that has happened. */
  readonly #unwanted = new Set<number>();

  /** `reused` is called before clusters get other contents. */
  constructor(file: Qcow2File, reused: () => void) {
    this.#file = file;
    this.#reused = reused;
  }

  /** Takes free clusters that follow each other, at most `countMax`. */
  take(countMax: number): Promise<Run & { readonly isFresh: boolean }> {
    const { refcounts } = this.#file;
    return this.#file.changingTables(async () => {
      await this.#reuse();
      const run = await refcounts.reserve(countMax, false);
      const isFresh = refcounts.isFresh(run.first);
      refcounts.wear(run);
      return { ...run, isFresh };
    });
  }

  /**
   * Changes entries from the cluster `first` of the disk on, all of one L2 table, and frees what
   * they led to. The clusters of new entries were taken before. `unwanted` says that the space of
   * what is freed is to be given back to the host.
   */
  map(first: number, mappings: readonly NewMapping[], unwanted = false): Promise<void> {
    return this.#file.changingTables(() => this.#map(first, mappings, unwanted));
  }

  async #map(first: number, mappings: readonly NewMapping[], unwanted: boolean): Promise<void> {
    const { form, l1, l2, refcounts } = this.#file;
    const key = Math.floor(first / form.l2Entries);
    const index = first % form.l2Entries;
    const at = l1[key] ?? 0;
    const table = at === 0 && !l2.peek(key) ? pinned(l2.add(key)) : await l2.pin(key);
    try {
      const old = mappings.map((_, ahead) =>
        this.hostClusters(readEntry(form, table.view, index + ahead, at)),
      );
      const taken = mappings.flatMap((mapping) => this.#newClusters(mapping));
      const pins = await refcounts.pin(taken, old.flat());
      try {
        this.#checkCounts(old.flat());
        for (const cluster of taken) refcounts.use(cluster);
        for (const [ahead, mapping] of mappings.entries())
          writeMapping(form.clusterBits, form.clusterBytes, table.view, index + ahead, mapping);
        for (const cluster of old.flat()) {
          refcounts.release(cluster);
          if (unwanted && refcounts.count(cluster) === 0) this.#unwanted.add(cluster);
        }
        l2.touch(table);
      } finally {
        refcounts.unpin(pins);
      }
    } finally {
      table.pins--;
    }
  }

  /** The clusters of the file that an entry uses. */
  hostClusters(mapping: Mapping): number[] {
    const { clusterBytes } = this.#file.form;
    switch (mapping.kind) {
      case 'none':
        return [];
      case 'zero':
        return mapping.host === undefined ? [] : [mapping.host / clusterBytes];
      case 'data':
        return [mapping.host / clusterBytes];
      case 'subclusters':
        return mapping.host === 0 ? [] : [mapping.host / clusterBytes];
      case 'compressed':
        return this.#file.clustersOf(mapping.host, mapping.bytes);
    }
  }

  #newClusters(mapping: NewMapping): number[] {
    switch (mapping.kind) {
      case 'data':
        return [mapping.cluster];
      case 'compressed':
        return this.#file.clustersOf(mapping.host, mapping.bytes);
      case 'none':
      case 'zero':
        return [];
    }
  }

  /** Refuses to free what is not used. Then nothing has changed yet. */
  #checkCounts(clusters: readonly number[]): void {
    const uses = new Map<number, number>();
    for (const cluster of clusters) uses.set(cluster, (uses.get(cluster) ?? 0) + 1);
    for (const [cluster, count] of uses) {
      if (this.#file.tables.has(cluster))
        throw malformed(`an L2 entry leads to cluster ${cluster}, which holds a table`);
      if (this.#file.refcounts.count(cluster) < count) {
        throw malformed(`cluster ${cluster} is used more often than its refcount says`);
      }
    }
  }

  /** A commit is on stable storage: what had been freed before it is free, by and by. */
  committed(freed: readonly number[]): Promise<void> {
    return this.#file.changingTables(async () => {
      if (freed.length > 0) this.#leaving.push({ clusters: freed, mark: this.requests.mark });
      await this.#reuse();
    });
  }

  /** Lets clusters be given away again that no request can be using any more. */
  async #reuse(): Promise<void> {
    if (this.#leaving.length === 0) return;
    const gone = this.#leaving.filter(({ mark }) => this.requests.haveEnded(mark));
    this.#leaving = this.#leaving.filter((batch) => !gone.includes(batch));
    for (const { clusters } of gone) {
      await this.#giveBackSpace(clusters.filter((cluster) => this.#unwanted.delete(cluster)));
      this.#reused();
      this.#file.refcounts.reuse(clusters);
    }
  }

  async #giveBackSpace(clusters: readonly number[]): Promise<void> {
    const { device, form } = this.#file;
    const sorted = clusters.toSorted((one, other) => one - other);
    for (let at = 0; at < sorted.length; ) {
      const first = sorted[at] ?? 0;
      let count = 1;
      while (sorted[at + count] === first + count) count++;
      const from = first * form.clusterBytes;
      const length = Math.min(count * form.clusterBytes, device.sizeBytes - from);
      // A host that cannot do it keeps the space; the image is as sound as before.
      if (length > 0) await device.discard(from, length).catch(() => {});
      at += count;
    }
  }
}

function pinned<Table extends { pins: number }>(table: Table): Table {
  table.pins++;
  return table;
}

function writeMapping(
  clusterBits: number,
  clusterBytes: number,
  table: DataView,
  index: number,
  mapping: NewMapping,
): void {
  switch (mapping.kind) {
    case 'data':
      return writeData(table, index, mapping.cluster * clusterBytes);
    case 'compressed':
      return writeCompressed(table, index, clusterBits, mapping.host, mapping.bytes);
    case 'none':
    case 'zero':
      return writeNothing(table, index, mapping.kind === 'zero');
  }
}
