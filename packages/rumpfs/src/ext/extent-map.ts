import type { BlockBuffer } from '../buffer/block-buffer.ts';
import type { Run } from './run.ts';
import {
  blockAt,
  checkExtentBlock,
  childAt,
  depthOf,
  entryCount,
  isUnwrittenAt,
  lengthAt,
  logicalAt,
  searchNode,
} from './extent-node.ts';
import type { Inode } from './inode.ts';
import { VERIFIED } from './verified.ts';
import type { Volume } from './volume.ts';

/**
 * Looks up the run that starts at logical block `logical`, at most `countMax` blocks of it. Returns
 * 0 when done, else the node that has to be in memory first. Throws `Corrupt` at a node that is
 * wrong.
 */
export function tryMapExtents(
  volume: Volume,
  inode: Inode,
  logical: number,
  countMax: number,
  run: Run,
): number {
  let view: DataView = inode.pointers;
  let end = 2 ** 32;
  run.fresh = false;
  run.unwritten = 0;
  for (let depth = depthOf(view); ; depth -= 1) {
    const index = searchNode(view, logical);
    if (index + 1 < entryCount(view)) end = Math.min(end, logicalAt(view, index + 1));
    if (index < 0 || depth === 0) {
      mapInLeaf(view, index, logical, Math.min(countMax, end - logical), run);
      return 0;
    }
    const child = childAt(view, index);
    const buffer = peekNode(volume, inode, child, depth - 1);
    if (buffer === undefined) return child;
    view = buffer.view;
  }
}

/**
 * The buffer of a node, checked; undefined while it is not in memory. Throws `Corrupt`. Since each
 * level must be one less than the level above, no chain of nodes is endless.
 */
export function peekNode(
  volume: Volume,
  inode: Inode,
  block: number,
  depth: number,
): BlockBuffer | undefined {
  const buffer = volume.cache.peek(block);
  if (buffer?.verifiedAs !== VERIFIED.extents) {
    volume.requireFileBlocks(block, 1, inode.name);
    if (buffer === undefined) return undefined;
    checkExtentBlock(volume, inode, buffer.bytes, block);
    buffer.verifiedAs = VERIFIED.extents;
  }
  if (depthOf(buffer.view) !== depth) {
    throw volume.corrupt(
      `${inode.name}: extents in block ${block}: depth ${depthOf(buffer.view)}, not ${depth}`,
    );
  }
  return buffer;
}

/** `countMax` is where the next entry of any node begins, at the latest. */
function mapInLeaf(view: DataView, index: number, logical: number, countMax: number, run: Run): void {
  const within = index < 0 ? 0 : logical - logicalAt(view, index);
  if (index < 0 || within >= lengthAt(view, index)) {
    run.block = 0;
    run.count = countMax;
    return;
  }
  const block = blockAt(view, index) + within;
  const unwritten = isUnwrittenAt(view, index);
  run.block = unwritten ? 0 : block;
  run.unwritten = unwritten ? block : 0;
  run.count = Math.min(countMax, lengthAt(view, index) - within);
}
