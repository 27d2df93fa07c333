import { ClusterRun } from '../fat/cluster-run.ts';
import { FAT_END } from '../fat/fat-entry.ts';
import { FollowedChain } from '../fat/followed-chain.ts';
import type { Volume } from './volume.ts';

/**
 * The clusters of a file or directory. Those of one in a single piece are known by the first one
 * and their number; else the FAT leads from each to the next.
 */
export class Chain extends FollowedChain {
  readonly #volume: Volume;
  #contiguous = false;

  /**
   * @param contiguousCount the number of clusters if they are in one piece; undefined where the FAT
   * leads to them
   * @param owner the name of the file in messages
   */
  constructor(volume: Volume, first: number, contiguousCount: number | undefined, owner: string) {
    super(volume, contiguousCount === 0 ? 0 : first, owner);
    this.#volume = volume;
    if (contiguousCount === undefined || this.first === 0) return;
    this.#contiguous = true;
    this.endWith(first, contiguousCount);
  }

  /** Whether the clusters are in one piece, and the FAT says nothing of them. */
  get contiguous(): boolean {
    return this.#contiguous;
  }

  /**
   * Puts clusters that were taken at the end of the chain, which is known. Where they are not the
   * neighbours of what is there, the FAT leads to all of it from now on.
   */
  async append(cluster: number, count: number): Promise<void> {
    if (this.first === 0) {
      this.begin(cluster);
      this.#contiguous = true;
    } else if (!this.#contiguous || this.last + 1 !== cluster) {
      await this.#link(cluster, count);
    }
    this.endWith(cluster, count);
  }

  /** Cuts the chain behind its first `count` clusters, of which there are some. */
  async cut(count: number): Promise<void> {
    if (!this.#contiguous) {
      const run = new ClusterRun();
      await this.map(count - 1, 1, run);
      await this.#volume.setFat(run.cluster, FAT_END);
    }
    this.endBehind(count);
  }

  /** Says that there are no clusters any more. */
  clear(): void {
    this.#contiguous = false;
    this.begin(0);
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
    this.expectCircleAt(this.first);
  }
}
