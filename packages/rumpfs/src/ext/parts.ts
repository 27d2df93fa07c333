import type { BlockAllocator } from './block-allocator.ts';
import type { IndexStore } from '../index/index-store.ts';
import type { InodeAllocator } from './inode-allocator.ts';
import type { Orphans } from './orphans.ts';
import type { Volume } from './volume.ts';

/** The parts of a mounted ext2 that its nodes work with. */
export interface Parts {
  readonly volume: Volume;
  readonly blocks: BlockAllocator;
  readonly inodes: InodeAllocator;
  readonly orphans: Orphans;
  readonly indexes: IndexStore;
}
