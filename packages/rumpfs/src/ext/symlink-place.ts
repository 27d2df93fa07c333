import type { Inode } from './inode.ts';
import type { Volume } from './volume.ts';

/** Whether the target stands in the inode, in the place of the block pointers. */
export function isShortSymlink(volume: Volume, inode: Inode): boolean {
  const attributeSectors = inode.attributesBlock === 0 ? 0 : volume.clusterSectors;
  return inode.type === 'symlink' && inode.sectors <= attributeSectors;
}
