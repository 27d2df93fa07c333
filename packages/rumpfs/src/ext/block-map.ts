import { tryMapExtents } from './extent-map.ts';
import type { Inode } from './inode.ts';
import type { Run } from './run.ts';
import type { Volume } from './volume.ts';

/**
 * The map of a file's blocks: by extents (`extent-map.ts`), or by pointers. Then an inode holds
 * fifteen block pointers: twelve to the first blocks, one to a block of pointers, one to a block of
 * pointers to such blocks, and one a level deeper still. A pointer of 0 is a hole: zeros that
 * occupy nothing, at any level.
 */
export const DIRECT_POINTERS = 12;

/** The beginning of the way to a logical block in the tree of pointers, and its continuation. */
export interface Branch {
  /** The number of levels of pointer blocks on the way. */
  readonly levels: number;
  /** The number of the pointer in the inode. */
  readonly pointer: number;
  /** The logical block counted from the first one below that pointer. */
  readonly index: number;
  /** The number of logical blocks that one pointer of the topmost pointer block covers. */
  readonly span: number;
}

export function branchOf(volume: Volume, logical: number): Branch {
  if (logical < DIRECT_POINTERS) return { levels: 0, pointer: logical, index: 0, span: 1 };
  const perBlock = volume.pointersPerBlock;
  let index = logical - DIRECT_POINTERS;
  let levels = 1;
  let span = 1;
  while (index >= span * perBlock && levels < 3) {
    index -= span * perBlock;
    span *= perBlock;
    levels += 1;
  }
  return { levels, pointer: DIRECT_POINTERS + levels - 1, index, span };
}

/**
 * Looks up the run that starts at logical block `logical`, at most `countMax` blocks of it. Returns
 * 0 when done, else the pointer block that has to be in memory first. Throws `Corrupt` at a pointer
 * that leads nowhere.
 */
export function tryMap(volume: Volume, inode: Inode, logical: number, countMax: number, run: Run): number {
  if (inode.hasExtents) return tryMapExtents(volume, inode, logical, countMax, run);
  const branch = branchOf(volume, logical);
  run.fresh = false;
  if (branch.levels === 0) {
    scanPointers(volume, inode, inode.pointers, logical, DIRECT_POINTERS, countMax, run);
    return 0;
  }
  const perBlock = volume.pointersPerBlock;
  let { index, span } = branch;
  let pointer = inode.pointers.getUint32(branch.pointer * 4, true);
  for (let level = branch.levels; ; level -= 1) {
    if (pointer === 0) {
      run.block = 0;
      run.count = Math.min(countMax, span * perBlock - index);
      return 0;
    }
    volume.requireFileBlocks(pointer, 1, inode.name);
    const buffer = volume.cache.peek(pointer);
    if (buffer === undefined) return pointer;
    const entry = Math.floor(index / span);
    if (level === 1) {
      scanPointers(volume, inode, buffer.view, entry, perBlock, countMax, run);
      return 0;
    }
    pointer = buffer.view.getUint32(entry * 4, true);
    index -= entry * span;
    span /= perBlock;
  }
}

/** `tryMap` with the pointer blocks read as needed. */
export async function mapRun(
  volume: Volume,
  inode: Inode,
  logical: number,
  countMax: number,
  run: Run,
): Promise<void> {
  let missing = tryMap(volume, inode, logical, countMax, run);
  while (missing !== 0) {
    await volume.cache.read(missing);
    missing = tryMap(volume, inode, logical, countMax, run);
  }
}

/**
 * The run at pointer `first` of `view`, which has `limit` pointers: a hole, or blocks side by side
 * in one group.
 */
function scanPointers(
  volume: Volume,
  inode: Inode,
  view: DataView,
  first: number,
  limit: number,
  countMax: number,
  run: Run,
): void {
  const block = view.getUint32(first * 4, true);
  const end = Math.min(limit, first + countMax);
  let next = first + 1;
  if (block === 0) {
    while (next < end && view.getUint32(next * 4, true) === 0) next += 1;
  } else {
    volume.requireFileBlocks(block, 1, inode.name);
    const inGroup = volume.groups.firstBlockOf(volume.groups.groupOf(block) + 1) - block;
    const stop = Math.min(end, first + inGroup);
    while (next < stop && view.getUint32(next * 4, true) === block + next - first) next += 1;
    volume.requireFileBlocks(block, next - first, inode.name);
  }
  run.block = block;
  run.count = next - first;
}
