/** Where everything of a new ext2, ext3 or ext4 lies. */
import { FsError } from '../errors.ts';
import { extentsOf, needsLeaf, pointedBlocksMax, pointerBlocks } from './ext-file-map.ts';
import { copiesBlocks, type ExtGeometry } from './ext-geometry.ts';
import { journalBlocksFor } from './ext-kinds.ts';
import { type BlockRun, BlockSpace } from './ext-space.ts';

/** Where the files' blocks are. */
export interface Placed {
  readonly root: number;
  readonly lost: number;
  readonly lostBlocks: number;
  /** The block that leads to the reserved descriptors; undefined where none are reserved. */
  readonly resize: number | undefined;
  readonly journal: PlacedJournal | undefined;
}

/** The blocks of the journal, and those that lead to them. */
export interface PlacedJournal {
  readonly blocks: number;
  readonly runs: readonly BlockRun[];
  readonly map: readonly number[];
}

/** The whole plan. */
export interface ExtPlan {
  readonly geometry: ExtGeometry;
  readonly space: BlockSpace;
  /** By group. */
  readonly blockBitmaps: Float64Array;
  readonly inodeBitmaps: Float64Array;
  readonly inodeTables: Float64Array;
  readonly placed: Placed;
}

/** Throws `InvalidArgument` where there is no room. */
export function planExt(geometry: ExtGeometry): ExtPlan {
  const { firstDataBlock, blocks, groups, blocksPerGroup, kind, inodeTableBlocks } = geometry;
  const space = new BlockSpace(firstDataBlock, blocks);
  const startOf = (group: number): number => firstDataBlock + group * blocksPerGroup;
  for (let group = 0; group < groups; group += 1) space.use(startOf(group), copiesBlocks(geometry, group));
  const place = (count: number, from: number): number =>
    requireRoom(geometry, space.take(count, from) ?? space.take(count, firstDataBlock)).start;
  const blockBitmaps = new Float64Array(groups);
  const inodeBitmaps = new Float64Array(groups);
  const inodeTables = new Float64Array(groups);
  for (let first = 0; first < groups; first += kind.groupsTogether) {
    const count = Math.min(kind.groupsTogether, groups - first);
    const start = startOf(first);
    for (const bitmaps of [blockBitmaps, inodeBitmaps])
      for (let group = first; group < first + count; group += 1) bitmaps[group] = place(1, start);
    for (let group = first; group < first + count; group += 1)
      inodeTables[group] = place(inodeTableBlocks, start);
  }
  const lostBlocks = Math.min(12, Math.max(2, Math.ceil((16 * 1024) / geometry.blockBytes)));
  const placed = {
    root: place(1, firstDataBlock),
    lost: place(lostBlocks, firstDataBlock),
    lostBlocks,
    resize: hasResizeInode(geometry) ? place(1, firstDataBlock) : undefined,
    journal: kind.journal ? placeJournal(geometry, space) : undefined,
  };
  return { geometry, space, blockBitmaps, inodeBitmaps, inodeTables, placed };
}

/** Whether there is an inode of reserved descriptors; its pointers have 32 bits. */
export function hasResizeInode({ blocks }: ExtGeometry): boolean {
  return blocks < 2 ** 32;
}

/** The middle is nearest to everything. */
function placeJournal(geometry: ExtGeometry, space: BlockSpace): PlacedJournal | undefined {
  const { blocks, blockBytes, blocksPerGroup, groups, firstDataBlock, kind } = geometry;
  const count = Math.min(journalBlocksFor(blocks), pointedBlocksMax(blockBytes));
  // An ext4 is one without a journal, too.
  if (count === 0 && kind.modern) return undefined;
  if (count === 0) throw tooSmall(geometry);
  const middle = firstDataBlock + Math.floor(groups / 2) * blocksPerGroup;
  if (!kind.modern) {
    const map = numbersOf(requireAll(geometry, space, pointerBlocks(count, blockBytes), middle));
    return { blocks: count, runs: requireAll(geometry, space, count, middle), map };
  }
  const whole = space.take(count, middle) ?? space.take(count, firstDataBlock);
  const runs = extentsOf(whole ? [whole] : requireAll(geometry, space, count, firstDataBlock));
  const map = needsLeaf(runs) ? numbersOf(requireAll(geometry, space, 1, firstDataBlock)) : [];
  return { blocks: count, runs, map };
}

/**
 * Takes that many blocks from `from` on, wherever they are, and from the beginning on for the rest.
 */
function requireAll(geometry: ExtGeometry, space: BlockSpace, count: number, from: number): BlockRun[] {
  const runs = space.takePieces(count, from);
  const left = count - runs.reduce((sum, run) => sum + run.count, 0);
  const rest = space.takePieces(left, geometry.firstDataBlock);
  if (rest.reduce((sum, run) => sum + run.count, 0) < left) throw tooSmall(geometry);
  return [...runs, ...rest];
}

/** The numbers of the blocks in runs. */
export function numbersOf(runs: readonly BlockRun[]): number[] {
  return runs.flatMap(({ start, count }) => Array.from({ length: count }, (_, index) => start + index));
}

function requireRoom(geometry: ExtGeometry, run: BlockRun | undefined): BlockRun {
  if (run === undefined) throw tooSmall(geometry);
  return run;
}

function tooSmall({ blocks, kind }: ExtGeometry): FsError {
  return new FsError('InvalidArgument', `${blocks} blocks are too few for ${kind.name}`);
}
