import type { BlockAllocator } from './block-allocator.ts';
import { clusterStart } from './cluster-grow.ts';
import { childAt, depthOf, entriesOf, type ExtentEntry, entryCount } from './extent-node.ts';
import { descend, type ExtentStep, initialiseExtents, putEntries } from './extent-tree.ts';
import type { Inode } from './inode.ts';
import { storeInode } from './inode-table.ts';
import type { Volume } from './volume.ts';

/** The largest logical block there can be: the way to it ends in the last leaf. */
const LAST_LOGICAL = 2 ** 32 - 1;
/** The number of extents that are freed in one step. */
const EXTENTS_AT_A_TIME = 24;

/** Blocks that nothing in the tree leads to any more. */
interface Freed {
  readonly first: number;
  readonly count: number;
  /** The logical block that the first one was; undefined for nodes. */
  readonly logical?: number;
}

/**
 * Frees every block of the file from logical block `keep` on, leaf by leaf from the end, with the
 * nodes that are not needed any more. Nothing is freed before the tree has been changed. Each step
 * makes the tree smaller, so it ends also for a tree that leads to the same node twice: that node
 * is free then already, which ends with `Corrupt`. The caller stores the inode once more.
 */
export async function freeExtentsFrom(
  volume: Volume,
  blocks: BlockAllocator,
  inode: Inode,
  keep: number,
): Promise<void> {
  for (;;) {
    const way = await descend(volume, inode, LAST_LOGICAL);
    const { freed, done } = cutLastLeaf(volume, inode, way, keep);
    if (freed.length > 0) await storeInode(volume, inode);
    for (const { first, count } of await wholeClusters(volume, inode, freed)) {
      inode.sectors = Math.max(0, inode.sectors - (count * volume.blockSizeBytes) / 512);
      await blocks.free(first, count, inode.name);
    }
    if (done) return;
    await storeInode(volume, inode);
    if (way.length > 1) await volume.breath();
  }
}

/**
 * The clusters in which blocks lie that the tree does not lead to any more, each of them once: all
 * but those of which the file has another block. Without bigalloc a cluster is a block.
 */
async function wholeClusters(
  volume: Volume,
  inode: Inode,
  freed: readonly Freed[],
): Promise<readonly Freed[]> {
  const { clusterBlocks } = volume.superblock;
  if (clusterBlocks === 1) return freed;
  const whole: Freed[] = [];
  // The pieces of a leaf come in ascending order.
  let done = -1;
  for (const { first, count, logical } of freed) {
    if (logical === undefined) {
      whole.push({ first, count: clusterBlocks });
      continue;
    }
    const start = logical - (logical % clusterBlocks);
    const end = Math.ceil((logical + count) / clusterBlocks) * clusterBlocks;
    const shared = start < done || (await clusterStart(volume, inode, start)) !== undefined;
    const from = shared ? start + clusterBlocks : start;
    if (from < end) whole.push({ first: first - logical + from, count: end - from });
    done = end;
  }
  return whole;
}

/** Takes what is behind `keep` out of the last leaf, in one turn. */
function cutLastLeaf(
  volume: Volume,
  inode: Inode,
  way: readonly ExtentStep[],
  keep: number,
): { readonly freed: readonly Freed[]; readonly done: boolean } {
  const leaf = way.at(-1);
  if (leaf === undefined) return { freed: [], done: true };
  const entries = entriesOf(leaf.view);
  const left: ExtentEntry[] = [];
  const freed: Freed[] = [];
  // So many extents at a time that the bitmaps which they change fit into a transaction.
  const from = Math.max(0, entries.length - EXTENTS_AT_A_TIME);
  for (const [index, entry] of entries.entries()) {
    const kept = Math.max(0, Math.min(entry.count, keep - entry.logical));
    if (kept > 0 || index < from) left.push({ ...entry, count: index < from ? entry.count : kept });
    if (index >= from && kept < entry.count)
      freed.push({
        first: entry.block + kept,
        count: entry.count - kept,
        logical: entry.logical + kept,
      });
  }
  const reached = entries.some(({ logical }, index) => index >= from && logical < keep);
  if (left.length > 0 || leaf.block === 0) {
    if (freed.length > 0) putEntries(volume, inode, leaf, 0, left);
    return {
      freed,
      done: reached || left.every(({ logical, count }) => logical + count <= keep),
    };
  }
  return { freed: [...freed, ...dropLeaf(volume, inode, way)], done: false };
}

/** Takes the last leaf out of the tree, and the nodes above that would be left without entries. */
function dropLeaf(volume: Volume, inode: Inode, way: readonly ExtentStep[]): Freed[] {
  const freed: Freed[] = [];
  for (let level = way.length - 1; level >= 0; level -= 1) {
    const step = way[level];
    const above = way[level - 1];
    if (step === undefined) break;
    if (above === undefined) {
      initialiseExtents(inode);
      break;
    }
    freed.push({ first: childAt(above.view, above.index), count: 1 });
    if (entryCount(above.view) === 1) continue;
    putEntries(volume, inode, above, depthOf(above.view), entriesOf(above.view).slice(0, -1));
    break;
  }
  return freed;
}
