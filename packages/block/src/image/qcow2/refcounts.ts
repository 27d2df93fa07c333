/**
 * How often each cluster of the file is used, and which are free. The counts here are those that
 * the next commit will write. What the last commit still uses is kept apart: a cluster that was
 * freed since is not given away before the next commit is on stable storage.
 */
import { assert } from '@ginit/core';
import { ImageError, malformed } from '../image-error.ts';
import { countMax, readCount, writeCount } from './refcount-width.ts';
import { type CachedTable, TableCache } from '../table-cache.ts';

/** The largest refcount table; QEMU has the same bound. */
const TABLE_BYTES_MAX = 8 * 1024 * 1024;
/** Clusters that have a count and that the file does not have; more of them are a fault. */
const BEHIND_MAX = 1024 * 1024;

/** Clusters of the file that follow each other. */
export interface Run {
  readonly first: number;
  readonly count: number;
}

/** What the counts need to know of the image. */
export interface RefcountForm {
  readonly clusterBytes: number;
  readonly refcountOrder: number;
  readonly tablesMax: number;
  /** Reads from the file; what is behind its end is zero. */
  read(into: Uint8Array, position: number): Promise<void>;
  /** Whether a cluster holds tables of the image, so that it is never free, whatever its count. */
  isTable(cluster: number): boolean;
}

/** The counts. */
export class Refcounts {
  readonly #form: RefcountForm;
  readonly #perBlock: number;
  readonly #cache: TableCache;
  /** Where the refcount blocks are; 0 for one that would hold zeros. */
  #table: Float64Array;
  /** Clusters that are given away but not used by a table yet. */
  readonly #reserved = new Set<number>();
  /** Clusters that were freed, and may still be used by what is on stable storage. */
  readonly #freed = new Set<number>();
  /** Those of them that no commit has taken yet. */
  #freedSince: number[] = [];
  /** Refcount blocks none of whose clusters is free: there may be many, and one looks once. */
  readonly #full = new Set<number>();
  /** No cluster below this one is free. */
  #hint = 0;
  /** The first cluster that was never given away and that the file has not. */
  #fresh: number;
  tableChanged = false;

  /** `blocks` says where each refcount block is. `fileBytes` is the size of the file. */
  constructor(form: RefcountForm, blocks: Float64Array, fileBytes: number) {
    this.#form = form;
    this.#perBlock = (form.clusterBytes * 8) / 2 ** form.refcountOrder;
    this.#table = blocks;
    this.#fresh = Math.ceil(fileBytes / form.clusterBytes);
    this.#cache = new TableCache(form.clusterBytes, form.tablesMax, (key, into) =>
      this.#readBlock(key, into),
    );
  }

  /** The number of clusters whose counts are in one refcount block. */
  get perBlock(): number {
    return this.#perBlock;
  }

  /** Where the refcount blocks are. */
  get blocks(): Float64Array {
    return this.#table;
  }

  get cache(): TableCache {
    return this.#cache;
  }

  /** The number of clusters that wait for a commit until they are free. */
  get freedClusters(): number {
    return this.#freed.size;
  }

  /** Whether a cluster lies beyond everything that the file ever had, so that it reads as zeros. */
  isFresh(cluster: number): boolean {
    return cluster >= this.#fresh;
  }

  /** Notes that clusters up to this one may have been written to. */
  wear({ first, count }: Run): void {
    this.#fresh = Math.max(this.#fresh, first + count);
  }

  /**
   * Brings the counts of clusters into memory, until the result is passed to `unpin`. `used` are
   * clusters that an image says it uses: it may say anything, so there is no new room for their
   * counts.
   */
  async pin(taken: readonly number[], used: readonly number[]): Promise<CachedTable[]> {
    const pinned: CachedTable[] = [];
    const blocksOf = (clusters: readonly number[]): Set<number> =>
      new Set(clusters.map((cluster) => Math.floor(cluster / this.#perBlock)));
    try {
      for (const block of blocksOf(used)) {
        if (this.#offset(block) === 0 && !this.#cache.peek(block)) {
          const cluster = used.find((one) => Math.floor(one / this.#perBlock) === block);
          throw malformed(`cluster ${cluster} is used, and its refcount is 0`);
        }
        pinned.push(await this.#cache.pin(block));
      }
      for (const block of blocksOf(taken)) pinned.push(await this.#pinBlock(block));
    } catch (error) {
      this.unpin(pinned);
      throw error;
    }
    return pinned;
  }

  /** Lets go of counts that were brought into memory. */
  unpin(pinned: readonly CachedTable[]): void {
    for (const table of pinned) table.pins--;
  }

  async #pinBlock(block: number): Promise<CachedTable> {
    if (this.#offset(block) !== 0 || this.#cache.peek(block)) return this.#cache.pin(block);
    this.#growTable(block);
    const table = this.#cache.add(block);
    table.pins++;
    return table;
  }

  /** The count of a cluster that is in memory. */
  count(cluster: number): number {
    const table = this.#cache.peek(Math.floor(cluster / this.#perBlock));
    if (!table) return 0;
    return readCount(table.view, this.#form.refcountOrder, cluster % this.#perBlock);
  }

  /** Counts one more use of a cluster whose count is pinned. */
  use(cluster: number): void {
    const count = this.count(cluster);
    if (count >= countMax(this.#form.refcountOrder))
      throw malformed(`cluster ${cluster} has no more uses left`);
    this.#reserved.delete(cluster);
    this.#set(cluster, count + 1);
  }

  /** Counts one use less of a cluster whose count is pinned. Throws if it has none. */
  release(cluster: number): void {
    const count = this.count(cluster);
    if (count === 0) throw malformed(`cluster ${cluster} is used, and its refcount is 0`);
    this.#set(cluster, count - 1);
    if (count !== 1) return;
    this.#freed.add(cluster);
    this.#freedSince.push(cluster);
  }

  #set(cluster: number, count: number): void {
    const table = this.#cache.peek(Math.floor(cluster / this.#perBlock));
    assert(table !== undefined && table.pins > 0, 'a count that changes is in memory');
    writeCount(table.view, this.#form.refcountOrder, cluster % this.#perBlock, count);
    this.#cache.touch(table);
  }

  /**
   * Gives away free clusters that follow each other: exactly `count`, or the first free ones up to
   * `count`. They are no others' until `use` or `giveBack`. One call at a time.
   */
  async reserve(count: number, exactly: boolean): Promise<Run> {
    let first = this.#hint;
    let length = 0;
    let behind = 0;
    search: for (let cluster = this.#hint; ; ) {
      const block = Math.floor(cluster / this.#perBlock);
      if ((block + 1) * 8 > TABLE_BYTES_MAX) {
        throw new ImageError('NoSpace', 'the image file cannot become larger');
      }
      if (this.#full.has(block)) {
        if (length > 0 && !exactly) break;
        const next = (block + 1) * this.#perBlock;
        if (cluster >= this.#fresh) behind += next - cluster;
        if (length === 0 && first === this.#hint) this.#hint = next;
        cluster = next;
        first = next;
        length = 0;
        continue;
      }
      const looksAtAll = cluster === block * this.#perBlock;
      let anyFree = false;
      const counted = this.#offset(block) !== 0 || this.#cache.peek(block) !== undefined;
      const view = counted ? (await this.#cache.load(block)).view : undefined;
      for (const end = (block + 1) * this.#perBlock; cluster < end; cluster++) {
        if (length === count) break search;
        if (this.#isFree(cluster, view)) {
          anyFree = true;
          if (length === 0) first = cluster;
          length++;
          continue;
        }
        if (cluster >= this.#fresh && ++behind > BEHIND_MAX) {
          throw malformed('refcounts count clusters behind the end of the file');
        }
        if (length > 0 && !exactly) break search;
        if (length === 0 && first === this.#hint && cluster === this.#hint) this.#hint++;
        length = 0;
        first = cluster + 1;
      }
      if (looksAtAll && !anyFree) this.#full.add(block);
    }
    for (let index = 0; index < length; index++) this.#reserved.add(first + index);
    if (first === this.#hint) this.#hint = first + length;
    return { first, count: length };
  }

  /** Returns clusters that were reserved and will not be used. */
  giveBack({ first, count }: Run): void {
    for (let index = 0; index < count; index++) {
      this.#reserved.delete(first + index);
      this.#full.delete(Math.floor((first + index) / this.#perBlock));
    }
    this.#hint = Math.min(this.#hint, first);
  }

  /** `view` is the refcount block of the cluster; without one all of its counts are 0. */
  #isFree(cluster: number, view: DataView | undefined): boolean {
    if (view && readCount(view, this.#form.refcountOrder, cluster % this.#perBlock) !== 0) return false;
    return !this.#reserved.has(cluster) && !this.#freed.has(cluster) && !this.#form.isTable(cluster);
  }

  /**
   * The clusters that have been freed since the last call, for `reuse` when that is on stable
   * storage. Each is in one result only, or it would be given away again before the commit that
   * frees it the next time.
   */
  takeFreed(): readonly number[] {
    const freed = this.#freedSince;
    this.#freedSince = [];
    return freed;
  }

  /** Takes the result of `takeFreed` back, for the next call. */
  putBackFreed(clusters: readonly number[]): void {
    this.#freedSince = [...clusters, ...this.#freedSince];
  }

  /** Nothing uses these clusters any more: they may be given away again. */
  reuse(clusters: readonly number[]): void {
    for (const cluster of clusters) {
      this.#freed.delete(cluster);
      this.#full.delete(Math.floor(cluster / this.#perBlock));
      this.#hint = Math.min(this.#hint, cluster);
    }
  }

  /** Takes these counts, of clusters from 0 on, in the place of all that there were. */
  assign(counts: Uint16Array): void {
    this.#cache.clear();
    this.#full.clear();
    this.#table = new Float64Array(0);
    for (let block = 0; block * this.#perBlock < counts.length; block++) {
      this.#growTable(block);
      const table = this.#cache.add(block);
      const from = block * this.#perBlock;
      for (const [index, count] of counts.subarray(from, from + this.#perBlock).entries()) {
        if (count > countMax(this.#form.refcountOrder)) {
          throw malformed(`cluster ${from + index} is used ${count} times, more than a refcount can say`);
        }
        if (count > 0) writeCount(table.view, this.#form.refcountOrder, index, count);
      }
    }
    this.#hint = 0;
  }

  /** Says where a refcount block is. */
  place(block: number, offset: number): void {
    this.#table[block] = offset;
    this.tableChanged = true;
  }

  /** The first cluster behind all that have a count, or are about to have one. */
  async end(): Promise<number> {
    let end = 0;
    for (const cluster of this.#reserved) end = Math.max(end, cluster + 1);
    for (const cluster of this.#freed) end = Math.max(end, cluster + 1);
    for (let block = this.#table.length - 1; block >= 0; block--) {
      if ((block + 1) * this.#perBlock <= end) break;
      if (this.#offset(block) === 0 && !this.#cache.peek(block)) continue;
      const { view } = await this.#cache.load(block);
      let index = this.#perBlock - 1;
      while (index >= 0 && readCount(view, this.#form.refcountOrder, index) === 0) index--;
      if (index >= 0) return Math.max(end, block * this.#perBlock + index + 1);
    }
    return end;
  }

  #offset(block: number): number {
    return this.#table[block] ?? 0;
  }

  #growTable(block: number): void {
    if (block < this.#table.length) return;
    if ((block + 1) * 8 > TABLE_BYTES_MAX) {
      throw new ImageError('NoSpace', 'the image file cannot become larger');
    }
    const perCluster = this.#form.clusterBytes / 8;
    const grown = new Float64Array(Math.ceil((block + 1) / perCluster) * perCluster);
    grown.set(this.#table);
    this.#table = grown;
    this.tableChanged = true;
  }

  async #readBlock(block: number, into: Uint8Array): Promise<void> {
    await this.#form.read(into, this.#offset(block));
  }
}
