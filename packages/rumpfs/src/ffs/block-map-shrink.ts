import { fragmentsOf, pointerIn, pointerPlace, setPointerIn } from './block-map.ts';
import type { Inode } from './inode.ts';
import { storeInode } from './inode-table.ts';
import type { Parts } from './parts.ts';
import { DIRECT_POINTERS } from './superblock.ts';

/** The levels of pointer blocks below the last three pointers of an inode. */
const TREE_LEVELS = 3;

/** The parts that are handed through the tree while blocks are freed. */
interface Cut {
  readonly parts: Parts;
  readonly inode: Inode;
}

/** A pointer block with what is below it, to be freed from logical block `keep` of it on. */
interface CutTree {
  readonly pointer: number;
  readonly levels: number;
  readonly keep: number;
}

/** Adjacent fragments to be freed. */
interface Piece {
  readonly first: number;
  readonly count: number;
}

/**
 * Sets a size that is not larger, and frees everything behind it, including pointer blocks that are
 * not needed any more. Nothing is freed that something in the cache still leads to: the inode is
 * stored without its pointers first. A pointer block is freed before its children, so in a tree
 * with a cycle one is met that is free already, which ends with `Corrupt`. The caller stores the
 * inode once more, for its count of sectors.
 */
export async function shrinkTo(parts: Parts, inode: Inode, sizeBytes: number): Promise<void> {
  const { volume } = parts;
  const cut: Cut = { parts, inode };
  inode.lastLogicalBlock = -1;
  inode.lastFragment = 0;
  const keep = Math.ceil(sizeBytes / volume.superblock.blockSizeBytes);
  const pieces = takeDirect(cut, sizeBytes, keep);
  const trees: CutTree[] = [];
  let first = DIRECT_POINTERS;
  let covered = volume.superblock.pointersPerBlock;
  for (let levels = 1; levels <= TREE_LEVELS; levels += 1) {
    const index = DIRECT_POINTERS + levels - 1;
    const pointer = inode.pointer(index);
    if (pointer !== 0 && keep < first + covered) {
      trees.push({ pointer, levels, keep: Math.max(0, keep - first) });
      if (keep <= first) inode.setPointer(index, 0);
    }
    first += covered;
    covered *= volume.superblock.pointersPerBlock;
  }
  inode.sizeBytes = sizeBytes;
  if (pieces.length + trees.length === 0) return;
  await storeInode(volume, inode);
  for (const { first: at, count } of pieces) await freeFragments(cut, at, count);
  for (const tree of trees) {
    if (tree.keep === 0) await freeTree(cut, tree.pointer, tree.levels);
    else await trimTree(cut, tree.pointer, tree.levels, tree.keep);
  }
}

/** Frees fragments of an inode. */
async function freeFragments({ parts, inode }: Cut, first: number, count: number): Promise<void> {
  await parts.space.free(first, count, inode.name);
  const sectors = (count * parts.volume.superblock.fragmentSizeBytes) / 512;
  inode.sectors = Math.max(0, inode.sectors - sectors);
}

/** Takes what is behind the size out of the inode's direct pointers. */
function takeDirect({ parts, inode }: Cut, sizeBytes: number, keep: number): Piece[] {
  const { volume } = parts;
  const pieces: Piece[] = [];
  const before = inode.sizeBytes;
  const last = keep - 1;
  if (last >= 0 && last < DIRECT_POINTERS && inode.pointer(last) !== 0) {
    const wanted = fragmentsOf(volume, sizeBytes, last);
    const count = fragmentsOf(volume, before, last) - wanted;
    if (count > 0) pieces.push({ first: inode.pointer(last) + wanted, count });
  }
  for (let index = keep; index < DIRECT_POINTERS; index += 1) {
    const first = inode.pointer(index);
    if (first === 0) continue;
    inode.setPointer(index, 0);
    // A damaged inode may have a block behind its end: one fragment of it at least is its own.
    pieces.push({ first, count: Math.max(1, fragmentsOf(volume, before, index)) });
  }
  return pieces;
}

/** Frees a pointer block of `levels` levels and everything below it. */
async function freeTree(cut: Cut, pointer: number, levels: number): Promise<void> {
  const { volume } = cut.parts;
  volume.requireBlock(pointer, cut.inode.name);
  const children = await pointersOf(cut, pointer, 0, false);
  await freeFragments(cut, pointer, volume.superblock.fragmentsPerBlock);
  await freeChildren(cut, children, levels - 1);
}

/** Frees everything behind the first `keep` (at least one) logical blocks of a tree. */
async function trimTree(cut: Cut, pointer: number, levels: number, keep: number): Promise<void> {
  const { volume } = cut.parts;
  volume.requireBlock(pointer, cut.inode.name);
  const span = volume.superblock.pointersPerBlock ** (levels - 1);
  const whole = Math.ceil(keep / span);
  const children = await pointersOf(cut, pointer, whole, true);
  const { fragment, offset } = pointerPlace(volume, pointer, whole - 1);
  const buffer = volume.cache.peek(fragment) ?? (await volume.cache.read(fragment));
  const boundary = pointerIn(volume, buffer.view, offset);
  await freeChildren(cut, children, levels - 1);
  if (boundary !== 0 && keep % span !== 0) await trimTree(cut, boundary, levels - 1, keep % span);
}

/** Frees data blocks (`levels` 0), adjacent ones together, or trees. */
async function freeChildren(cut: Cut, children: readonly number[], levels: number): Promise<void> {
  const perBlock = cut.parts.volume.superblock.fragmentsPerBlock;
  for (let index = 0; index < children.length; ) {
    const first = children[index] ?? 0;
    let count = 1;
    if (levels > 0) {
      await freeTree(cut, first, levels);
    } else {
      while (children[index + count] === first + count * perBlock) count += 1;
      await freeFragments(cut, first, count * perBlock);
    }
    index += count;
  }
}

/** The pointers of a pointer block from number `from` on, without holes; with `take`, taken out. */
async function pointersOf({ parts }: Cut, pointer: number, from: number, take: boolean): Promise<number[]> {
  const { volume } = parts;
  const { pointersPerBlock, pointerBytes, fragmentSizeBytes } = volume.superblock;
  const perFragment = fragmentSizeBytes / pointerBytes;
  const pointers: number[] = [];
  for (let index = from; index < pointersPerBlock; ) {
    const { fragment } = pointerPlace(volume, pointer, index);
    const end = (Math.floor(index / perFragment) + 1) * perFragment;
    const buffer = volume.cache.peek(fragment) ?? (await volume.cache.read(fragment));
    const found = pointers.length;
    for (; index < end; index += 1) {
      const offset = (index % perFragment) * pointerBytes;
      const child = pointerIn(volume, buffer.view, offset);
      if (child === 0) continue;
      pointers.push(child);
      if (take) setPointerIn(volume, buffer.view, offset, 0);
    }
    if (take && pointers.length > found) volume.cache.markDirty(buffer, fragment, 'structure');
  }
  return pointers;
}
