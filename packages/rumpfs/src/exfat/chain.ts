import { ClusterRun } from './cluster-run.ts';
import { FAT_END, FAT_MISSING } from './fat-table.ts';
import type { Volume } from './volume.ts';

/** Of a file in more pieces than this, only the place of the last ones is kept. */
const RUNS_MAX = 4096;

/**
 * The clusters of a file or directory. Those of one in a single piece are known by the first one
 * and their number; else the FAT leads from each to the next, and the chain is known as far as it
 * has been followed, as runs of clusters that lie side by side.
 */
export class Chain {
  /** The first cluster; 0 for none. */
  first: number;
  readonly #volume: Volume;
  readonly #owner: string;
  #contiguous: boolean;
  /** The first cluster of each run, and the index in the file of the cluster behind it. */
  #clusters: number[] = [];
  #ends: number[] = [];
  /** The index in the file of the first cluster of the runs. */
  #start = 0;
  #complete = false;
  /**
   * A cluster passed on the way, to which a chain that leads in a circle comes back (Brent's
   * algorithm), and the length of the chain up to it.
   */
  #mark = 0;
  #markAt = 1;

  /**
   * @param contiguousCount the number of clusters if they are in one piece; undefined where the FAT
   * leads to them
   * @param owner the name of the file in messages
   */
  constructor(volume: Volume, first: number, contiguousCount: number | undefined, owner: string) {
    this.#volume = volume;
    this.#owner = owner;
    this.first = contiguousCount === 0 ? 0 : first;
    this.#mark = this.first;
    this.#contiguous = contiguousCount !== undefined && this.first !== 0;
    if (contiguousCount !== undefined && this.first !== 0) {
      this.#complete = true;
      this.#add(first, contiguousCount);
    }
  }

  /** Whether the clusters are in one piece, and the FAT says nothing of them. */
  get contiguous(): boolean {
    return this.#contiguous;
  }

  /** The number of clusters that are known. */
  get known(): number {
    return this.#ends.at(-1) ?? this.#start;
  }

  get complete(): boolean {
    return this.#complete || this.first === 0;
  }

  /** The last known cluster; 0 for none. */
  get last(): number {
    const index = this.#clusters.length - 1;
    if (index < 0) return 0;
    return (this.#clusters[index] ?? 0) + this.known - 1 - (this.#ends[index - 1] ?? this.#start);
  }

  /**
   * The run at cluster `index` of the file, at most `countMax` clusters of it. False when a part of
   * the FAT is missing in memory. Throws `Corrupt` at a chain that leads nowhere.
   */
  tryMap(index: number, countMax: number, run: ClusterRun): boolean {
    run.count = 0;
    if (index < this.#start) this.#forget();
    while (this.known < index + countMax && !this.complete) {
      if (this.#clusters.length > 1 && (this.#ends[this.#ends.length - 2] ?? 0) > index) break;
      if (!this.#follow()) return false;
    }
    if (index >= this.known) return true;
    let low = 0;
    let high = this.#ends.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ends[middle] ?? 0) > index) high = middle;
      else low = middle + 1;
    }
    const within = index - (this.#ends[low - 1] ?? this.#start);
    run.cluster = (this.#clusters[low] ?? 0) + within;
    run.count = Math.min(countMax, (this.#ends[low] ?? 0) - index);
    return true;
  }

  /** `tryMap` with the FAT read as needed. */
  async map(index: number, countMax: number, run: ClusterRun): Promise<void> {
    while (!this.tryMap(index, countMax, run)) await this.#volume.readFat();
  }

  /** Follows the chain to its end. The result is its number of clusters. */
  async follow(): Promise<number> {
    while (!this.complete) if (!this.#follow()) await this.#volume.readFat();
    return this.known;
  }

  /**
   * Puts clusters that were taken at the end of the chain, which is known. Where they are not the
   * neighbours of what is there, the FAT leads to all of it from now on.
   */
  async append(cluster: number, count: number): Promise<void> {
    if (this.first === 0) {
      this.first = cluster;
      this.#forget();
      this.#contiguous = true;
    } else if (!this.#contiguous || this.last + 1 !== cluster) {
      await this.#link(cluster, count);
    }
    this.#complete = true;
    this.#add(cluster, count);
  }

  /** Cuts the chain behind its first `count` clusters, of which there are some. */
  async cut(count: number): Promise<void> {
    if (!this.#contiguous) {
      const run = new ClusterRun();
      await this.map(count - 1, 1, run);
      await this.#volume.setFat(run.cluster, FAT_END);
    }
    while (this.#clusters.length > 0 && (this.#ends.at(-2) ?? this.#start) >= count) {
      this.#clusters.pop();
      this.#ends.pop();
    }
    if (this.#ends.length > 0) this.#ends[this.#ends.length - 1] = Math.min(this.known, count);
    if (this.known < count) this.#forget();
    else this.#complete = true;
  }

  /** Says that there are no clusters any more. */
  clear(): void {
    this.first = 0;
    this.#contiguous = false;
    this.#forget();
  }

  /**
   * Lets the FAT lead from the last cluster to new ones, and to the last one, if it did not yet.
   */
  async #link(cluster: number, count: number): Promise<void> {
    const { last } = this;
    if (this.#contiguous) {
      for (let at = this.first; at < last; at += 1) await this.#volume.setFat(at, at + 1);
    }
    for (let at = cluster; at < cluster + count - 1; at += 1) await this.#volume.setFat(at, at + 1);
    await this.#volume.setFat(cluster + count - 1, FAT_END);
    await this.#volume.setFat(last, cluster);
    this.#contiguous = false;
    this.#mark = this.first;
    this.#markAt = 1;
  }

  #forget(): void {
    this.#clusters = [];
    this.#ends = [];
    this.#start = 0;
    this.#complete = false;
    this.#mark = this.first;
    this.#markAt = 1;
  }

  /** One step. False when a part of the FAT is missing in memory. */
  #follow(): boolean {
    const { fat } = this.#volume;
    const { last } = this;
    if (last === 0) {
      this.#volume.requireCluster(this.first, this.#owner);
      this.#add(this.first, 1);
      return true;
    }
    const next = fat.get(last);
    if (next === FAT_MISSING) return false;
    if (next === FAT_END) {
      this.#complete = true;
      return true;
    }
    if (next <= 0) throw this.#volume.corrupt(`${this.#owner}: cluster ${last} leads to no cluster`);
    if (next === this.#mark)
      throw this.#volume.corrupt(`${this.#owner}: its clusters lead in a circle at cluster ${next}`);
    this.#add(next, 1);
    if (this.known >= this.#markAt * 2) {
      this.#mark = next;
      this.#markAt = this.known;
    }
    return true;
  }

  #add(cluster: number, count: number): void {
    const end = this.known + count;
    if (this.#clusters.length > 0 && this.last + 1 === cluster) {
      this.#ends[this.#ends.length - 1] = end;
      return;
    }
    if (this.#clusters.length >= RUNS_MAX) {
      this.#start = this.known;
      this.#clusters = [];
      this.#ends = [];
    }
    this.#clusters.push(cluster);
    this.#ends.push(end);
  }
}
