import { branchOf, fragmentsOf, mapRun, pointerIn, pointerPlace, Run, setPointerIn } from './block-map.ts';
import type { Inode } from './inode.ts';
import type { Parts } from './parts.ts';
import { DIRECT_POINTERS } from './superblock.ts';

/** The place of one pointer. */
interface PointerPlace {
  /** The pointer block; 0 for the inode itself. */
  readonly holder: number;
  readonly index: number;
  /** The number of pointers from this one to the end of the inode's or of the fragment. */
  readonly left: number;
}

/** Blocks of a file that are to be filled. */
export interface Assigned {
  /** The first fragment. */
  readonly first: number;
  readonly fragments: number;
  /** Whether they were taken just now and hold no contents of the file yet. */
  readonly fresh: boolean;
}

/** Puts the contents into fragments. */
export type Fill = (assigned: Assigned) => Promise<void>;

/**
 * The run at `logical`, at most `countMax` blocks. A hole is filled with blocks, or fragments at
 * the end, of a file that has its final size already. `fill` is called before anything leads to new
 * ones; when it fails, they are given back. The caller stores the inode. Rejects with `NoSpace`.
 */
export async function assignRun(
  parts: Parts,
  inode: Inode,
  logical: number,
  countMax: number,
  fill: Fill,
): Promise<void> {
  const { volume, space } = parts;
  const perBlock = volume.superblock.fragmentsPerBlock;
  const run = new Run();
  await mapRun(volume, inode, logical, countMax, run);
  if (run.fragment !== 0) {
    const last = fragmentsOf(volume, inode.sizeBytes, logical + run.count - 1);
    await fill({ first: run.fragment, fragments: (run.count - 1) * perBlock + last, fresh: false });
  } else {
    const place = await ensurePlace(parts, inode, logical);
    const goal = space.goalFor(inode, logical);
    const wanted = fragmentsOf(volume, inode.sizeBytes, logical);
    const whole = wholeBlocks(parts, inode, logical, Math.min(run.count, place.left));
    let fragments = wanted;
    if (wanted < perBlock) {
      run.fragment = await space.takeFragments(goal, wanted, false);
      run.count = 1;
    } else {
      await space.takeBlocks(goal, whole, run);
      fragments = run.count * perBlock;
    }
    try {
      await fill({ first: run.fragment, fragments, fresh: true });
      await link(parts, inode, place, run);
    } catch (error) {
      await space.free(run.fragment, fragments, inode.name);
      throw error;
    }
    inode.sectors += (fragments * volume.superblock.fragmentSizeBytes) / 512;
  }
  inode.lastLogicalBlock = logical + run.count - 1;
  inode.lastFragment = run.fragment + (run.count - 1) * perBlock;
}

/** How many of some blocks are whole in a file of that size. */
function wholeBlocks({ volume }: Parts, inode: Inode, logical: number, count: number): number {
  if (logical >= DIRECT_POINTERS) return count;
  const whole = Math.floor(inode.sizeBytes / volume.superblock.blockSizeBytes);
  return Math.max(1, Math.min(count, whole - logical));
}

/** The place of the pointer to `logical`, with pointer blocks made where they are missing. */
async function ensurePlace(parts: Parts, inode: Inode, logical: number): Promise<PointerPlace> {
  const { volume } = parts;
  const perBlock = volume.superblock.pointersPerBlock;
  const perFragment = volume.superblock.fragmentSizeBytes / volume.superblock.pointerBytes;
  const branch = branchOf(perBlock, logical);
  let place: PointerPlace = {
    holder: 0,
    index: branch.pointer,
    left: branch.levels === 0 ? DIRECT_POINTERS - logical : 1,
  };
  let { index, span } = branch;
  for (let level = branch.levels; level > 0; level -= 1) {
    const pointer = await readPointer(parts, inode, place);
    const holder = pointer === 0 ? await addPointerBlock(parts, inode, logical, place) : pointer;
    if (pointer !== 0) volume.requireBlock(pointer, inode.name);
    const entry = Math.floor(index / span);
    place = { holder, index: entry, left: perFragment - (entry % perFragment) };
    index -= entry * span;
    span /= perBlock;
  }
  return place;
}

async function readPointer({ volume }: Parts, inode: Inode, place: PointerPlace): Promise<number> {
  if (place.holder === 0) return inode.pointer(place.index);
  const { fragment, offset } = pointerPlace(volume, place.holder, place.index);
  const buffer = volume.cache.peek(fragment) ?? (await volume.cache.read(fragment));
  return pointerIn(volume, buffer.view, offset);
}

async function addPointerBlock(
  parts: Parts,
  inode: Inode,
  logical: number,
  place: PointerPlace,
): Promise<number> {
  const { volume, space } = parts;
  const run = new Run();
  await space.takeBlocks(space.goalFor(inode, logical), 1, run);
  const { fragmentsPerBlock, blockSizeBytes } = volume.superblock;
  try {
    await volume.writeFirst(run.fragment, new Uint8Array(blockSizeBytes));
    await link(parts, inode, place, run);
  } catch (error) {
    await space.free(run.fragment, fragmentsPerBlock, inode.name);
    throw error;
  }
  inode.sectors += blockSizeBytes / 512;
  inode.lastFragment = run.fragment;
  inode.lastLogicalBlock = logical - 1;
  return run.fragment;
}

/** Lets the pointers from `place` on lead to the run. */
async function link({ volume }: Parts, inode: Inode, place: PointerPlace, run: Run): Promise<void> {
  const { fragmentsPerBlock, pointerBytes } = volume.superblock;
  if (place.holder === 0) {
    for (let index = 0; index < run.count; index += 1)
      inode.setPointer(place.index + index, run.fragment + index * fragmentsPerBlock);
    return;
  }
  const { fragment, offset } = pointerPlace(volume, place.holder, place.index);
  const buffer = volume.cache.peek(fragment) ?? (await volume.cache.read(fragment));
  volume.cache.markDirty(buffer, fragment, 'structure');
  for (let index = 0; index < run.count; index += 1)
    setPointerIn(
      volume,
      buffer.view,
      offset + index * pointerBytes,
      run.fragment + index * fragmentsPerBlock,
    );
}
