import type { Directory } from './directory.ts';
import type { Inode } from './inode.ts';
import type { Parts } from './parts.ts';

/** An inode in use, with the objects that work on it. `directory` is meant for directories only. */
export interface OpenInode {
  readonly parts: Parts;
  readonly inode: Inode;
  readonly directory: Directory;
}
