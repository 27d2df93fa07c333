import type { FsError } from '../errors.ts';
import type { ClusterRun } from './cluster-run.ts';
import { FAT_END, FAT_MISSING } from './fat-entry.ts';

/** Of a file in more pieces than this, only the place of the last ones is kept. */
const RUNS_MAX = 4096;

/** What a chain asks of the volume that it is on. */
export interface ChainVolume {
  readonly fat: {
    /** The cluster behind another one, or what else its entry says. */
    get(cluster: number): number;
  };
  /** Reads the part of the FAT that was missing. */
  readFat(): Promise<void>;
  /** Throws `Corrupt` if there is no such cluster. */
  requireCluster(cluster: number, owner: string): void;
  /** The error for a structure that contradicts the format. */
  corrupt(what: string): FsError;
}

/**
 * The chain of clusters of a file or directory, as far as it has been followed: runs of clusters
 * that lie side by side. Following it again from the start for each access would make reading a
 * large file quadratic.
 */
export class FollowedChain {
  readonly #volume: ChainVolume;
  readonly #owner: string;
  #first: number;
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
  #mark: number;
  #markAt = 1;

  /** @param owner the name of the file in messages */
  constructor(volume: ChainVolume, first: number, owner: string) {
    this.#volume = volume;
    this.#owner = owner;
    this.#first = first;
    this.#mark = first;
  }

  /** The first cluster; 0 for none. */
  get first(): number {
    return this.#first;
  }

  /** The number of clusters that are known. */
  get known(): number {
    return this.#ends.at(-1) ?? this.#start;
  }

  get complete(): boolean {
    return this.#complete || this.#first === 0;
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
    if (index < this.#start) this.begin(this.#first);
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

  /** The chain begins there (0: there is none), and nothing is known of it. */
  protected begin(first: number): void {
    this.#first = first;
    this.#clusters = [];
    this.#ends = [];
    this.#start = 0;
    this.#complete = false;
    this.expectCircleAt(first);
  }

  /** Takes in clusters behind those that are known; the chain ends there. */
  protected endWith(cluster: number, count: number): void {
    this.#complete = true;
    this.#add(cluster, count);
  }

  /** Forgets what was followed behind the first `count` clusters, where the chain was cut. */
  protected endBehind(count: number): void {
    while (this.#clusters.length > 0 && (this.#ends.at(-2) ?? this.#start) >= count) {
      this.#clusters.pop();
      this.#ends.pop();
    }
    if (this.#ends.length > 0) this.#ends[this.#ends.length - 1] = Math.min(this.known, count);
    if (this.known < count) this.begin(this.#first);
    else this.#complete = true;
  }

  /** Looks for a circle from a cluster of the chain on. */
  protected expectCircleAt(cluster: number): void {
    this.#mark = cluster;
    this.#markAt = 1;
  }

  /** One step. False when a part of the FAT is missing in memory. */
  #follow(): boolean {
    const { last } = this;
    if (last === 0) {
      this.#volume.requireCluster(this.#first, this.#owner);
      this.#add(this.#first, 1);
      return true;
    }
    const next = this.#volume.fat.get(last);
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
