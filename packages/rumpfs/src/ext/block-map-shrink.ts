import type { BlockAllocator } from './block-allocator.ts';
import { DIRECT_POINTERS } from './block-map.ts';
import { freeExtentsFrom } from './extent-shrink.ts';
import type { Inode } from './inode.ts';
import { storeInode } from './inode-table.ts';
import type { Volume } from './volume.ts';

/** The levels of pointer blocks below the last three pointers of an inode. */
const TREE_LEVELS = 3;

/** The parts that are handed through the tree while blocks are freed. */
interface Cut {
  readonly volume: Volume;
  readonly blocks: BlockAllocator;
  readonly inode: Inode;
}

/** A pointer block with what is below it, to be freed from logical block `keep` of it on. */
interface CutTree {
  readonly pointer: number;
  readonly levels: number;
  readonly keep: number;
}

/**
 * Frees every block of the file from logical block `keep` on, including the pointer blocks that are
 * not needed any more. Nothing is freed that something in the cache still leads to: the inode is
 * stored without its pointers first. A pointer block is freed before its children, so in a tree
 * with a cycle a block is met that is free already, which ends with `Corrupt`. The caller stores
 * the inode once more, for its count of blocks.
 */
export async function freeBlocksFrom(
  volume: Volume,
  blocks: BlockAllocator,
  inode: Inode,
  keep: number,
): Promise<void> {
  const cut: Cut = { volume, blocks, inode };
  inode.lastLogicalBlock = -1;
  inode.lastBlock = 0;
  if (inode.hasExtents) {
    await freeExtentsFrom(volume, blocks, inode, keep);
    return;
  }
  const children = keep < DIRECT_POINTERS ? takePointers(inode.pointers, keep, DIRECT_POINTERS) : [];
  const trees: CutTree[] = [];
  let first = DIRECT_POINTERS;
  let covered = volume.pointersPerBlock;
  for (let levels = 1; levels <= TREE_LEVELS; levels += 1) {
    const offset = (DIRECT_POINTERS + levels - 1) * 4;
    const pointer = inode.pointers.getUint32(offset, true);
    if (pointer !== 0 && keep < first + covered) {
      trees.push({ pointer, levels, keep: Math.max(0, keep - first) });
      if (keep <= first) inode.pointers.setUint32(offset, 0, true);
    }
    first += covered;
    covered *= volume.pointersPerBlock;
  }
  if (children.length + trees.length === 0) return;
  await storeInode(volume, inode);
  await freeChildren(cut, children, 0);
  for (const tree of trees) {
    if (tree.keep === 0) await freeTree(cut, tree.pointer, tree.levels);
    else await trimTree(cut, tree.pointer, tree.levels, tree.keep);
  }
}

/** Frees a pointer block of `levels` levels and everything below it. */
async function freeTree(cut: Cut, pointer: number, levels: number): Promise<void> {
  const { volume, inode } = cut;
  volume.requireFileBlocks(pointer, 1, inode.name);
  const buffer = volume.cache.peek(pointer) ?? (await volume.cache.read(pointer));
  const children = pointersOf(buffer.view, 0, volume.pointersPerBlock);
  await freeRun(cut, pointer, 1);
  await freeChildren(cut, children, levels - 1);
}

/** Frees everything behind the first `keep` (at least one) logical blocks of a tree. */
async function trimTree(cut: Cut, pointer: number, levels: number, keep: number): Promise<void> {
  const { volume, inode } = cut;
  volume.requireFileBlocks(pointer, 1, inode.name);
  const span = volume.pointersPerBlock ** (levels - 1);
  const whole = Math.ceil(keep / span);
  const buffer = volume.cache.peek(pointer) ?? (await volume.cache.read(pointer));
  const children = takePointers(buffer.view, whole, volume.pointersPerBlock);
  const boundary = buffer.view.getUint32((whole - 1) * 4, true);
  volume.cache.markDirty(buffer, pointer, 'structure');
  buffer.verifiedAs = 0;
  await freeChildren(cut, children, levels - 1);
  if (boundary !== 0 && keep % span !== 0) await trimTree(cut, boundary, levels - 1, keep % span);
}

/** Frees data blocks (`levels` 0), adjacent ones together, or trees. */
async function freeChildren(cut: Cut, children: readonly number[], levels: number): Promise<void> {
  for (let index = 0; index < children.length; ) {
    const first = children[index] ?? 0;
    let count = 1;
    if (levels > 0) {
      await freeTree(cut, first, levels);
    } else {
      while (children[index + count] === first + count) count += 1;
      await freeRun(cut, first, count);
    }
    index += count;
  }
}

async function freeRun(cut: Cut, first: number, count: number): Promise<void> {
  await cut.blocks.free(first, count, cut.inode.name);
  const sectors = (count * cut.volume.blockSizeBytes) / 512;
  cut.inode.sectors = Math.max(0, cut.inode.sectors - sectors);
}

/** Takes the pointers from number `from` on out of the view and returns them, without holes. */
function takePointers(view: DataView, from: number, limit: number): number[] {
  const pointers = pointersOf(view, from, limit);
  for (let index = from; index < limit; index += 1) view.setUint32(index * 4, 0, true);
  return pointers;
}

/** The pointers from number `from` on, without holes. */
function pointersOf(view: DataView, from: number, limit: number): number[] {
  const pointers: number[] = [];
  for (let index = from; index < limit; index += 1) {
    const pointer = view.getUint32(index * 4, true);
    if (pointer !== 0) pointers.push(pointer);
  }
  return pointers;
}
