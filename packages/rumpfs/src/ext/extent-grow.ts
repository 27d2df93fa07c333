import type { BlockAllocator } from './block-allocator.ts';
import type { Run } from './run.ts';
import { EXTENT_BLOCKS_MAX, entriesOf, type ExtentEntry, UNWRITTEN_BLOCKS_MAX } from './extent-node.ts';
import { type ExtentStep, spliceLeaf, type TreeChange } from './extent-tree.ts';
import type { Inode } from './inode.ts';
import type { Volume } from './volume.ts';

/**
 * Lets logical blocks from `logical` on, which were a hole, lead to the run, for which so many
 * blocks were `taken`.
 */
export async function linkRun(
  volume: Volume,
  blocks: BlockAllocator,
  inode: Inode,
  logical: number,
  run: Run,
  taken: number,
): Promise<void> {
  const change: TreeChange = { volume, blocks, inode, goal: run.block };
  const added: ExtentEntry = { logical, block: run.block, count: run.count, unwritten: false };
  await spliceLeaf(change, logical, (leaf) => {
    const entries = entriesOf(leaf.view);
    const before = entries[leaf.index];
    const after = entries[leaf.index + 1];
    const joinsBefore = before !== undefined && joins(before, added);
    const joined = joinsBefore ? merged(before, added) : added;
    const joinsAfter = after !== undefined && joins(joined, after);
    const whole = joinsAfter ? merged(joined, after) : joined;
    return {
      index: leaf.index + (joinsBefore ? 0 : 1),
      removed: (joinsBefore ? 1 : 0) + (joinsAfter ? 1 : 0),
      added: [whole],
    };
  });
  inode.sectors += (taken * volume.blockSizeBytes) / 512;
}

/** Marks allocated blocks as written: those of the run, from `logical` on. */
export async function markWritten(
  volume: Volume,
  blocks: BlockAllocator,
  inode: Inode,
  logical: number,
  run: Run,
): Promise<void> {
  const change: TreeChange = { volume, blocks, inode, goal: run.block };
  await spliceLeaf(change, logical, (leaf: ExtentStep) => {
    const entries = entriesOf(leaf.view);
    const around = entries[leaf.index];
    if (around === undefined || logical + run.count > around.logical + around.count)
      throw volume.corrupt(`${inode.name}: extents changed while in use`);
    const pieces = [
      part(around, around.logical, logical, true),
      part(around, logical, logical + run.count, false),
      part(around, logical + run.count, around.logical + around.count, true),
    ].filter(({ count }) => count > 0);
    const before = entries[leaf.index - 1];
    const first = pieces[0];
    if (before !== undefined && first !== undefined && joins(before, first)) {
      return { index: leaf.index - 1, removed: 2, added: [merged(before, first), ...pieces.slice(1)] };
    }
    return { index: leaf.index, removed: 1, added: pieces };
  });
}

function part(whole: ExtentEntry, from: number, end: number, unwritten: boolean): ExtentEntry {
  return { logical: from, block: whole.block + from - whole.logical, count: end - from, unwritten };
}

/** Whether two extents can be one. */
function joins(one: ExtentEntry, other: ExtentEntry): boolean {
  const most = one.unwritten ? UNWRITTEN_BLOCKS_MAX : EXTENT_BLOCKS_MAX;
  return (
    one.unwritten === other.unwritten &&
    one.logical + one.count === other.logical &&
    one.block + one.count === other.block &&
    one.count + other.count <= most
  );
}

function merged(one: ExtentEntry, other: ExtentEntry): ExtentEntry {
  return { ...one, count: one.count + other.count };
}
