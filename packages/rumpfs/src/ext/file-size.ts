import { READ_ONLY_FEATURE } from './features.ts';
import type { Superblock } from './superblock.ts';

/** The largest file that does not need the large_file feature. */
export const SMALL_FILE_BYTES_MAX = 0x7fff_ffff;
/** An extent begins at a logical block of 32 bits. */
const EXTENT_BLOCKS_MAX = 2 ** 32 - 1;

/**
 * The largest size of a file: bounded by what its map of blocks reaches, and by the count of
 * sectors in the inode, of 32 bits, or 48 with huge_file. Revision 0 has no upper half of the size.
 */
export function fileBytesMax(superblock: Superblock, extents: boolean): number {
  if (superblock.revision === 0) return SMALL_FILE_BYTES_MAX;
  const { blockSizeBytes } = superblock;
  if (extents) return Math.min(EXTENT_BLOCKS_MAX * blockSizeBytes, sectorsMax(superblock) * 512);
  const pointers = blockSizeBytes / 4;
  const blocks = 12 + pointers + pointers ** 2 + pointers ** 3;
  // A fully allocated file also has about one indirect block in `pointers`.
  const bySectors = Math.floor((sectorsMax(superblock) * 512) / (1 + 2 / pointers));
  return Math.min(blocks * blockSizeBytes, bySectors);
}

/** The largest count of sectors that an inode holds. */
export function sectorsMax(superblock: Superblock): number {
  return superblock.allows(READ_ONLY_FEATURE.hugeFile) ? 2 ** 48 - 1 : 0xffff_ffff;
}
