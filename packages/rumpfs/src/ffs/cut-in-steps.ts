import { pointerIn, pointerPlace } from './block-map.ts';
import { shrinkTo } from './block-map-shrink.ts';
import { hasBlocks, type Inode } from './inode.ts';
import { storeInode } from './inode-table.ts';
import type { Parts } from './parts.ts';
import { DIRECT_POINTERS, INDIRECT_POINTERS } from './superblock.ts';
import type { Volume } from './volume.ts';

/**
 * Where a log keeps changes together: cuts a file that is going to have a smaller size, block by
 * block from its end, until no more is left to be freed than fits into one operation. Each step is
 * one; after each of them the file is whole, and shorter. Nothing is done without a log.
 */
export async function cutInSteps(parts: Parts, inode: Inode, sizeBytes: number): Promise<void> {
  const { volume } = parts;
  const { journalling, superblock } = volume;
  if (journalling === undefined || !hasBlocks(inode, superblock)) return;
  const { blockSizeBytes } = superblock;
  const keep = Math.ceil(sizeBytes / blockSizeBytes);
  const most = journalling.blocksOfStep;
  if (Math.ceil(inode.sizeBytes / blockSizeBytes) - keep <= most) return;
  for (;;) {
    const end = Math.ceil(inode.sizeBytes / blockSizeBytes);
    const last = await lastBlock(volume, inode, end);
    const next = (await lastBlock(volume, inode, last + 1 - most)) + 1;
    if (next <= keep) return;
    await volume.change(async () => {
      await shrinkTo(parts, inode, next * blockSizeBytes);
      await storeInode(volume, inode);
    });
  }
}

/** The last logical block before `end` that is no hole; -1 where there is none. */
async function lastBlock(volume: Volume, inode: Inode, end: number): Promise<number> {
  const perBlock = volume.superblock.pointersPerBlock;
  let first = DIRECT_POINTERS;
  const trees: { readonly pointer: number; readonly first: number; readonly span: number }[] = [];
  for (let level = 0; level < INDIRECT_POINTERS; level += 1) {
    const span = perBlock ** level;
    trees.unshift({ pointer: inode.pointer(DIRECT_POINTERS + level), first, span });
    first += span * perBlock;
  }
  for (const tree of trees) {
    if (tree.pointer === 0 || end <= tree.first) continue;
    const found = await lastInTree(volume, inode, tree.pointer, tree.span, end - tree.first);
    if (found >= 0) return tree.first + found;
  }
  for (let block = Math.min(end, DIRECT_POINTERS) - 1; block >= 0; block -= 1)
    if (inode.pointer(block) !== 0) return block;
  return -1;
}

/**
 * The same below a pointer block, each pointer of which covers `span` blocks, counted from its
 * first one.
 */
async function lastInTree(
  volume: Volume,
  inode: Inode,
  holder: number,
  span: number,
  end: number,
): Promise<number> {
  volume.requireBlock(holder, inode.name);
  const perBlock = volume.superblock.pointersPerBlock;
  for (let index = Math.min(perBlock, Math.ceil(end / span)) - 1; index >= 0; index -= 1) {
    const { fragment, offset } = pointerPlace(volume, holder, index);
    const buffer = volume.cache.peek(fragment) ?? (await volume.cache.read(fragment));
    const pointer = pointerIn(volume, buffer.view, offset);
    if (pointer === 0) continue;
    if (span === 1) return index;
    const found = await lastInTree(volume, inode, pointer, span / perBlock, end - index * span);
    if (found >= 0) return index * span + found;
  }
  return -1;
}
