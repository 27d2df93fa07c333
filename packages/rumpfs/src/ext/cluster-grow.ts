/**
 * Growth with bigalloc: blocks are allocated by clusters, and a block stands at the place of its
 * cluster that it has in the file. So a cluster of the file of which one block is there already has
 * room for its other blocks, and takes nothing more.
 */
import type { BlockAllocator } from './block-allocator.ts';
import { mapRun } from './block-map.ts';
import { linkRun } from './extent-grow.ts';
import type { Inode } from './inode.ts';
import { Run } from './run.ts';
import type { Volume } from './volume.ts';

/** Puts the contents of a run into it. */
export type Fill = (run: Run) => Promise<void>;

/** What grows, and where its next blocks should be. */
export interface Growth {
  readonly volume: Volume;
  readonly blocks: BlockAllocator;
  readonly inode: Inode;
  readonly goal: number;
  readonly grow: boolean;
}

/**
 * Fills a hole of at most `holeBlocks` from `logical` on, or its beginning. What was taken is given
 * back where `fill` fails.
 */
export async function fillClusters(
  { volume, blocks, inode, goal, grow }: Growth,
  logical: number,
  holeBlocks: number,
  run: Run,
  fill: Fill,
): Promise<void> {
  const { clusterBlocks } = volume.superblock;
  const within = logical % clusterBlocks;
  const begun = await clusterStart(volume, inode, logical - within);
  if (begun !== undefined) {
    run.block = begun + within;
    run.count = Math.min(holeBlocks, clusterBlocks - within);
    run.unwritten = 0;
    run.fresh = true;
    await fill(run);
    await linkRun(volume, blocks, inode, logical, run, 0);
    return;
  }
  let end = logical + holeBlocks;
  const last = end - (end % clusterBlocks);
  // A cluster that is begun behind the hole is filled by the next call.
  if (last > logical && last < end && (await clusterStart(volume, inode, last)) !== undefined) end = last;
  await blocks.allocate(inode, goal, within + end - logical, grow, run);
  const [first, count] = [run.block, run.count];
  run.block = first + within;
  run.count = count - within;
  try {
    await fill(run);
    const taken = Math.ceil(count / clusterBlocks) * clusterBlocks;
    await linkRun(volume, blocks, inode, logical, run, taken);
  } catch (error) {
    await blocks.free(first, count, inode.name);
    throw error;
  }
}

/**
 * Where the cluster begins that the file has for its blocks from `logical` on, the first of such a
 * cluster; undefined if none of them is there.
 */
export async function clusterStart(
  volume: Volume,
  inode: Inode,
  logical: number,
): Promise<number | undefined> {
  const { clusterBlocks } = volume.superblock;
  const run = new Run();
  for (let at = 0; at < clusterBlocks; at += run.count) {
    run.unwritten = 0;
    await mapRun(volume, inode, logical + at, clusterBlocks - at, run);
    const block = run.block > 0 ? run.block : run.unwritten;
    if (block > 0) return block - at;
  }
  return undefined;
}
