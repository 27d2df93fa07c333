import { crc32c, crc32cOfLong } from '../checksum/crc.ts';
import type { BlockAllocator } from './block-allocator.ts';
import type { Inode } from './inode.ts';
import { storeInode } from './inode-table.ts';
import type { Volume } from './volume.ts';

/*
 * Extended attributes are left alone, with one exception: a file may have a block of them that
 * several files share. The block begins with a magic number and the number of the files that share
 * it.
 */
const MAGIC_EXPECTED = 0xea02_0000;
const REFERENCES_OFFSET = 4;
const CHECKSUM_OFFSET = 16;

/** Completes a block of attributes by its checksum, which covers the number of the block, too. */
function sealAttributes(volume: Volume, block: number, bytes: Uint8Array): void {
  if (!volume.superblock.checksums) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  view.setUint32(CHECKSUM_OFFSET, 0, true);
  const numbered = crc32cOfLong(
    crc32cOfLong(volume.superblock.checksumSeed, block % 2 ** 32),
    Math.floor(block / 2 ** 32),
  );
  view.setUint32(CHECKSUM_OFFSET, crc32c(numbered, bytes), true);
}

/**
 * Releases the attribute block of a file that is removed. The last file that shares the block frees
 * it. The caller stores the inode.
 */
export async function releaseAttributes(volume: Volume, blocks: BlockAllocator, inode: Inode): Promise<void> {
  const block = inode.attributesBlock;
  if (block === 0) return;
  inode.attributesBlock = 0;
  inode.sectors = Math.max(0, inode.sectors - volume.clusterSectors);
  volume.requireFileBlocks(block, 1, inode.name);
  const buffer = volume.cache.peek(block) ?? (await volume.cache.read(block));
  if (buffer.view.getUint32(0, true) !== MAGIC_EXPECTED) {
    throw volume.corrupt(`${inode.name}: block ${block} holds no extended attributes`);
  }
  const references = buffer.view.getUint32(REFERENCES_OFFSET, true);
  if (references > 1) {
    buffer.view.setUint32(REFERENCES_OFFSET, references - 1, true);
    volume.cache.markDirty(buffer, block, 'structure', (bytes) => sealAttributes(volume, block, bytes));
    buffer.verifiedAs = 0;
  } else {
    await storeInode(volume, inode);
    await blocks.free(block, 1, inode.name);
  }
}
