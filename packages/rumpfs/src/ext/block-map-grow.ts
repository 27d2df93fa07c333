import { FsError } from '../errors.ts';
import type { BlockAllocator } from './block-allocator.ts';
import { branchOf, DIRECT_POINTERS, mapRun, tryMap } from './block-map.ts';
import { Run } from './run.ts';
import { type Fill, fillClusters } from './cluster-grow.ts';
import { linkRun, markWritten } from './extent-grow.ts';
import { EXTENT_BLOCKS_MAX } from './extent-node.ts';
import type { Inode } from './inode.ts';
import type { Volume } from './volume.ts';

/** The place of one pointer. */
interface PointerPlace {
  /** The pointer block; 0 for the inode itself. */
  readonly holder: number;
  readonly index: number;
  /** The number of pointers from this one to the end of the holder. */
  readonly left: number;
}

/**
 * The run at `logical`, at most `countMax` blocks. A hole is filled with newly allocated blocks
 * (`run.fresh`), in as few pieces as the device has room for. `fill` is called before anything
 * leads to those blocks; when it fails, they are given back. The caller stores the inode. Rejects
 * with `NoSpace`.
 */
export async function assignRun(
  volume: Volume,
  blocks: BlockAllocator,
  inode: Inode,
  logical: number,
  countMax: number,
  run: Run,
  fill: Fill,
): Promise<void> {
  await mapRun(volume, inode, logical, countMax, run);
  if (run.block > 0) {
    await fill(run);
  } else if (run.unwritten > 0) {
    run.block = run.unwritten;
    run.fresh = true;
    await fill(run);
    await markWritten(volume, blocks, inode, logical, run);
  } else if (inode.hasExtents) {
    await fillHole(volume, blocks, inode, logical, run, fill);
  } else if (volume.superblock.clusterBlocks > 1) {
    throw new FsError('NotSupported', `${inode.name}: pointers to blocks, which cannot grow in clusters`);
  } else {
    const holeBlocks = run.count;
    const place = await ensurePlace(volume, blocks, inode, logical);
    const goal = goalFor(volume, inode, logical);
    const grow = logical * volume.blockSizeBytes >= inode.sizeBytes;
    await blocks.allocate(inode, goal, Math.min(holeBlocks, place.left), grow, run);
    try {
      await fill(run);
    } catch (error) {
      await blocks.free(run.block, run.count, inode.name);
      throw error;
    }
    await link(volume, blocks, inode, place, run);
  }
  inode.lastLogicalBlock = logical + run.count - 1;
  inode.lastBlock = run.block + run.count - 1;
}

/** Fills a hole of a file that is mapped by extents, or its beginning. */
async function fillHole(
  volume: Volume,
  blocks: BlockAllocator,
  inode: Inode,
  logical: number,
  run: Run,
  fill: Fill,
): Promise<void> {
  const count = Math.min(run.count, EXTENT_BLOCKS_MAX);
  const grow = logical * volume.blockSizeBytes >= inode.sizeBytes;
  const goal = goalFor(volume, inode, logical);
  if (volume.superblock.clusterBlocks > 1) {
    await fillClusters({ volume, blocks, inode, goal, grow }, logical, count, run, fill);
    return;
  }
  await blocks.allocate(inode, goal, count, grow, run);
  try {
    await fill(run);
    await linkRun(volume, blocks, inode, logical, run, run.count);
  } catch (error) {
    await blocks.free(run.block, run.count, inode.name);
    throw error;
  }
}

/** The wanted place of new blocks: behind the file's block before; else near the inode. */
function goalFor(volume: Volume, inode: Inode, logical: number): number {
  if (inode.lastBlock > 0 && (inode.lastLogicalBlock === logical - 1 || logical === 0))
    return inode.lastBlock + 1;
  const before = new Run();
  if (logical > 0 && tryMap(volume, inode, logical - 1, 1, before) === 0 && before.block > 0) {
    return before.block + 1;
  }
  const group = Math.floor((inode.id - 1) / volume.superblock.inodesPerGroup);
  return volume.groups.firstBlockOf(group);
}

/** The place of the pointer to `logical`, with pointer blocks made where they are missing. */
async function ensurePlace(
  volume: Volume,
  blocks: BlockAllocator,
  inode: Inode,
  logical: number,
): Promise<PointerPlace> {
  const branch = branchOf(volume, logical);
  const perBlock = volume.pointersPerBlock;
  let place: PointerPlace = {
    holder: 0,
    index: branch.pointer,
    left: branch.levels === 0 ? DIRECT_POINTERS - logical : 1,
  };
  let { index, span } = branch;
  for (let level = branch.levels; level > 0; level -= 1) {
    const pointer = await readPointer(volume, inode, place);
    const holder = pointer === 0 ? await addPointerBlock(volume, blocks, inode, logical, place) : pointer;
    const entry = Math.floor(index / span);
    place = { holder, index: entry, left: perBlock - entry };
    index -= entry * span;
    span /= perBlock;
  }
  return place;
}

async function readPointer(volume: Volume, inode: Inode, place: PointerPlace): Promise<number> {
  if (place.holder === 0) return inode.pointers.getUint32(place.index * 4, true);
  const buffer = volume.cache.peek(place.holder) ?? (await volume.cache.read(place.holder));
  return buffer.view.getUint32(place.index * 4, true);
}

async function addPointerBlock(
  volume: Volume,
  blocks: BlockAllocator,
  inode: Inode,
  logical: number,
  place: PointerPlace,
): Promise<number> {
  const run = new Run();
  await blocks.allocate(inode, goalFor(volume, inode, logical), 1, false, run);
  const { block } = run;
  try {
    await volume.writeFirst(block, new Uint8Array(volume.blockSizeBytes));
  } catch (error) {
    await blocks.free(block, 1, inode.name);
    throw error;
  }
  await link(volume, blocks, inode, place, run);
  inode.lastBlock = block;
  inode.lastLogicalBlock = logical - 1;
  return block;
}

/**
 * Lets the pointers from `place` on lead to the run. Blocks that cannot be linked are given back.
 */
async function link(
  volume: Volume,
  blocks: BlockAllocator,
  inode: Inode,
  place: PointerPlace,
  run: Run,
): Promise<void> {
  let view: DataView = inode.pointers;
  if (place.holder !== 0) {
    try {
      const buffer = volume.cache.peek(place.holder) ?? (await volume.cache.read(place.holder));
      volume.cache.markDirty(buffer, place.holder, 'structure');
      // On a damaged device it may be something else as well, which is not what it was.
      buffer.verifiedAs = 0;
      view = buffer.view;
    } catch (error) {
      await blocks.free(run.block, run.count, inode.name);
      throw error;
    }
  }
  for (let index = 0; index < run.count; index += 1) {
    view.setUint32((place.index + index) * 4, run.block + index, true);
  }
  inode.sectors += (run.count * volume.blockSizeBytes) / 512;
}
