import type { IndexStore } from '../index/index-store.ts';
import type { FragmentAllocator } from './fragment-allocator.ts';
import type { InodeAllocator } from './inode-allocator.ts';
import type { Volume } from './volume.ts';

/** The parts of a mounted FFS that its nodes work with. */
export interface Parts {
  readonly volume: Volume;
  readonly space: FragmentAllocator;
  readonly inodes: InodeAllocator;
  readonly indexes: IndexStore;
}
