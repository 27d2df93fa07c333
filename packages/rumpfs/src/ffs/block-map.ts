import type { Inode } from './inode.ts';
import { DIRECT_POINTERS } from './superblock.ts';
import type { Volume } from './volume.ts';

/*
 * The map of a file: twelve pointers to the first blocks, one to a block of pointers, one to a
 * block of pointers to such blocks, and one a level deeper still. A pointer of 0 is a hole. What
 * leads to one of the first twelve blocks, and is the end of the file, may be fragments: as many as
 * the size needs. Behind the twelve all blocks are whole.
 */

/**
 * Adjacent blocks of a file that lie side by side on the device, or a hole. Filled by the callee.
 */
export class Run {
  /** The first fragment; 0 for a hole. */
  fragment = 0;
  /** The number of blocks. The last one may have fewer fragments. */
  count = 0;
}

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

export function branchOf(perBlock: number, logical: number): Branch {
  if (logical < DIRECT_POINTERS) return { levels: 0, pointer: logical, index: 0, span: 1 };
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

/** The number of fragments that a block has in a file of that size. */
export function fragmentsOf(volume: Volume, sizeBytes: number, logical: number): number {
  const { blockSizeBytes, fragmentSizeBytes, fragmentsPerBlock } = volume.superblock;
  const left = sizeBytes - logical * blockSizeBytes;
  if (logical >= DIRECT_POINTERS || left >= blockSizeBytes) return fragmentsPerBlock;
  return Math.max(0, Math.ceil(left / fragmentSizeBytes));
}

/** Where a pointer of a pointer block is. */
export function pointerPlace(
  volume: Volume,
  holder: number,
  index: number,
): { readonly fragment: number; readonly offset: number } {
  const { fragmentSizeBytes, pointerBytes } = volume.superblock;
  const byte = index * pointerBytes;
  return { fragment: holder + Math.floor(byte / fragmentSizeBytes), offset: byte % fragmentSizeBytes };
}

export function pointerIn(volume: Volume, view: DataView, offset: number): number {
  const { pointerBytes, littleEndian } = volume.superblock;
  return pointerBytes === 4
    ? view.getUint32(offset, littleEndian)
    : Number(view.getBigInt64(offset, littleEndian));
}

export function setPointerIn(volume: Volume, view: DataView, offset: number, fragment: number): void {
  const { pointerBytes, littleEndian } = volume.superblock;
  if (pointerBytes === 4) view.setUint32(offset, fragment, littleEndian);
  else view.setBigInt64(offset, BigInt(fragment), littleEndian);
}

/**
 * Looks up the run that starts at logical block `logical`, at most `countMax` blocks of it. Returns
 * 0 when done, else the fragment with a pointer that has to be in memory first. Throws `Corrupt` at
 * a pointer that leads nowhere.
 */
export function tryMap(volume: Volume, inode: Inode, logical: number, countMax: number, run: Run): number {
  const perBlock = volume.superblock.pointersPerBlock;
  const branch = branchOf(perBlock, logical);
  if (branch.levels === 0) {
    const end = Math.min(DIRECT_POINTERS, logical + countMax);
    collect(volume, inode, logical, end - logical, run, (index) => inode.pointer(logical + index));
    return 0;
  }
  let { index, span } = branch;
  let pointer = inode.pointer(branch.pointer);
  for (let level = branch.levels; ; level -= 1) {
    if (pointer === 0) {
      run.fragment = 0;
      run.count = Math.min(countMax, span * perBlock - index);
      return 0;
    }
    volume.requireBlock(pointer, inode.name);
    const entry = Math.floor(index / span);
    const { fragment, offset } = pointerPlace(volume, pointer, entry);
    const buffer = volume.cache.peek(fragment);
    if (buffer === undefined) return fragment;
    if (level === 1) {
      const inFragment = (buffer.bytes.length - offset) / volume.superblock.pointerBytes;
      collect(volume, inode, logical, Math.min(countMax, inFragment), run, (step) =>
        pointerIn(volume, buffer.view, offset + step * volume.superblock.pointerBytes),
      );
      return 0;
    }
    pointer = pointerIn(volume, buffer.view, offset);
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

/** The run of blocks side by side, or of holes, at the beginning of `limit` pointers. */
function collect(
  volume: Volume,
  inode: Inode,
  logical: number,
  limit: number,
  run: Run,
  pointer: (index: number) => number,
): void {
  const perBlock = volume.superblock.fragmentsPerBlock;
  const first = pointer(0);
  let count = 1;
  if (first !== 0) requireAt(volume, inode, logical, first);
  while (count < limit) {
    const next = pointer(count);
    if (next !== (first === 0 ? 0 : first + count * perBlock)) break;
    if (next !== 0) requireAt(volume, inode, logical + count, next);
    count += 1;
  }
  run.fragment = first;
  run.count = count;
}

function requireAt(volume: Volume, inode: Inode, logical: number, fragment: number): void {
  const count = Math.max(1, fragmentsOf(volume, inode.sizeBytes, logical));
  volume.requireFragments(fragment, count, inode.name);
}
