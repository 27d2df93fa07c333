import { FollowedChain } from '../fat/followed-chain.ts';

/** The chain of clusters of a file or directory: the FAT leads from each to the next. */
export class Chain extends FollowedChain {
  /** Sets the first cluster; what is known of the chain is forgotten. */
  restart(first: number): void {
    this.begin(first);
  }

  /** Takes in clusters that were linked to the end of the chain, which is known. */
  append(cluster: number, count: number): void {
    if (this.first === 0) this.begin(cluster);
    this.endWith(cluster, count);
  }

  /** Forgets what was followed behind the first `count` clusters, where the chain was cut. */
  cut(count: number): void {
    this.endBehind(count);
  }
}
