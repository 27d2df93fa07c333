import type { BlockBuffer } from '../buffer/block-buffer.ts';
import { crc32c, crc32cOfLong, crc32cOfZeros } from '../checksum/crc.ts';
import type { BlockAllocator } from './block-allocator.ts';
import type { Inode } from './inode.ts';
import { storeInode } from './inode-table.ts';
import { VERIFIED } from './verified.ts';
import type { Volume } from './volume.ts';

/*
 * Extended attributes are left alone, with one exception: a file may have a block of them that
 * several files share. The block begins with a magic number and the number of the files that share
 * it.
 */
const MAGIC_EXPECTED = 0xea02_0000;
const REFERENCES_OFFSET = 4;
const CHECKSUM_OFFSET = 16;
const CHECKSUM_BYTES = 4;

/** The checksum of a block of attributes, which covers the number of the block, too. */
function checksumOf(volume: Volume, block: number, bytes: Uint8Array): number {
  const seed = crc32cOfLong(volume.superblock.checksumSeed, block % 2 ** 32);
  const before = crc32c(crc32cOfLong(seed, Math.floor(block / 2 ** 32)), bytes, 0, CHECKSUM_OFFSET);
  return crc32c(crc32cOfZeros(before, CHECKSUM_BYTES), bytes, CHECKSUM_OFFSET + CHECKSUM_BYTES);
}

/** Completes a block of attributes by its checksum. */
function sealAttributes(volume: Volume, block: number, bytes: Uint8Array): void {
  if (!volume.superblock.checksums) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  view.setUint32(CHECKSUM_OFFSET, checksumOf(volume, block, bytes), true);
}

/**
 * Throws `Corrupt` unless the buffer holds attributes, which is looked at once while it is in
 * memory.
 */
function requireAttributes(volume: Volume, buffer: BlockBuffer, block: number, name: string): void {
  if (buffer.view.getUint32(0, true) !== MAGIC_EXPECTED)
    throw volume.corrupt(`${name}: block ${block} holds no extended attributes`);
  if (!volume.superblock.checksums || buffer.verifiedAs === VERIFIED.attributes) return;
  if (buffer.view.getUint32(CHECKSUM_OFFSET, true) !== checksumOf(volume, block, buffer.bytes))
    throw volume.corrupt(`${name}: its extended attributes in block ${block} have a wrong checksum`);
  buffer.verifiedAs = VERIFIED.attributes;
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
  requireAttributes(volume, buffer, block, inode.name);
  const references = buffer.view.getUint32(REFERENCES_OFFSET, true);
  if (references > 1) {
    buffer.view.setUint32(REFERENCES_OFFSET, references - 1, true);
    volume.cache.markDirty(buffer, block, 'structure', (bytes) => sealAttributes(volume, block, bytes));
    // Its checksum is made when it is written.
    buffer.verifiedAs = VERIFIED.attributes;
  } else {
    await storeInode(volume, inode);
    await blocks.free(block, 1, inode.name);
  }
}
