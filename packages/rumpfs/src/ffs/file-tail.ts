/**
 * The end of a file. Its last block has as many fragments as the size needs, if it is one of the
 * first twelve. So as the file grows, the fragments grow, where they are or at another place.
 */
import { fragmentsOf, mapRun, Run } from './block-map.ts';
import { assignRun } from './block-map-grow.ts';
import type { Inode } from './inode.ts';
import { storeInode } from './inode-table.ts';
import type { Parts } from './parts.ts';
import { DIRECT_POINTERS } from './superblock.ts';
import type { Volume } from './volume.ts';

/** Puts zeros into fragments, in the cache. */
export async function zeroFragments({ cache }: Volume, first: number, count: number): Promise<void> {
  for (let fragment = first; fragment < first + count; fragment += 1) {
    const buffer = cache.tryFresh(fragment) ?? (await cache.fresh(fragment));
    buffer.bytes.fill(0);
    cache.markDirty(buffer, fragment, 'data');
  }
}

/**
 * Zeroes what is behind byte `end` in the fragments of its block, so that growing never shows old
 * contents.
 */
export async function clearTail(volume: Volume, inode: Inode, end: number): Promise<void> {
  const { blockSizeBytes, fragmentSizeBytes } = volume.superblock;
  if (end % blockSizeBytes === 0) return;
  const logical = Math.floor(end / blockSizeBytes);
  const run = new Run();
  await mapRun(volume, inode, logical, 1, run);
  if (run.fragment === 0) return;
  const within = end % fragmentSizeBytes;
  const used = Math.floor((end % blockSizeBytes) / fragmentSizeBytes);
  if (within > 0) {
    const fragment = run.fragment + used;
    const buffer = volume.cache.peek(fragment) ?? (await volume.cache.read(fragment));
    buffer.bytes.fill(0, within);
    volume.cache.markDirty(buffer, fragment, 'data');
  }
  const whole = used + (within > 0 ? 1 : 0);
  const count = fragmentsOf(volume, inode.sizeBytes, logical) - whole;
  if (count > 0) await zeroFragments(volume, run.fragment + whole, count);
}

/**
 * Sets a larger size, for which the last block so far may need more fragments; what it gains is
 * zeros. `gap` says that what comes behind the old end is not written at once.
 */
export async function growTail(parts: Parts, inode: Inode, sizeBytes: number, gap: boolean): Promise<void> {
  const { volume } = parts;
  const before = inode.sizeBytes;
  if (gap) await clearTail(volume, inode, before);
  const last = Math.floor((before - 1) / volume.superblock.blockSizeBytes);
  if (before > 0 && last < DIRECT_POINTERS && inode.pointer(last) !== 0) {
    const had = fragmentsOf(volume, before, last);
    const wanted = fragmentsOf(volume, sizeBytes, last);
    if (wanted > had) await moreFragments(parts, inode, last, { had, wanted, sizeBytes });
  }
  inode.sizeBytes = sizeBytes;
}

interface Growth {
  readonly had: number;
  readonly wanted: number;
  readonly sizeBytes: number;
}

async function moreFragments(parts: Parts, inode: Inode, logical: number, growth: Growth): Promise<void> {
  const { volume, space } = parts;
  const { fragmentSizeBytes } = volume.superblock;
  const { had, wanted } = growth;
  const old = inode.pointer(logical);
  volume.requireFragments(old, had, inode.name);
  if (await space.extend(old, had, wanted)) {
    volume.cache.dataFirst();
    inode.sectors += ((wanted - had) * fragmentSizeBytes) / 512;
    await zeroFragments(volume, old + had, wanted - had);
    return;
  }
  const moved = await takeForGrowth(parts, inode, logical, wanted);
  try {
    await copyFragments(volume, old, moved, had);
    await zeroFragments(volume, moved + had, wanted - had);
  } catch (error) {
    await space.free(moved, wanted, inode.name);
    throw error;
  }
  inode.setPointer(logical, moved);
  inode.sectors += ((wanted - had) * fragmentSizeBytes) / 512;
  inode.sizeBytes = growth.sizeBytes;
  if (inode.lastLogicalBlock === logical) inode.lastFragment = moved;
  // Nothing may lead to the old place when it is given back.
  await storeInode(volume, inode);
  await space.free(old, had, inode.name);
}

/** Fragments, or a whole block, for what has outgrown its place. */
export async function takeForGrowth(
  { volume, space }: Parts,
  inode: Inode,
  logical: number,
  wanted: number,
): Promise<number> {
  const { fragmentsPerBlock, prefersSpeed } = volume.superblock;
  const goal = space.goalFor(inode, logical);
  if (wanted < fragmentsPerBlock) return space.takeFragments(goal, wanted, prefersSpeed);
  const run = new Run();
  await space.takeBlocks(goal, 1, run);
  return run.fragment;
}

async function copyFragments({ cache }: Volume, from: number, to: number, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const source = cache.peek(from + index) ?? (await cache.read(from + index));
    const bytes = source.bytes.slice();
    const target = cache.tryFresh(to + index) ?? (await cache.fresh(to + index));
    target.bytes.set(bytes);
    cache.markDirty(target, to + index, 'data');
  }
}

/** Makes sure that a file does not end with a hole, which checkers take for a mistake. */
export async function fillLast(parts: Parts, inode: Inode): Promise<void> {
  if (inode.sizeBytes === 0) return;
  const last = Math.floor((inode.sizeBytes - 1) / parts.volume.superblock.blockSizeBytes);
  await assignRun(parts, inode, last, 1, async ({ first, fragments, fresh }) => {
    if (fresh) await zeroFragments(parts.volume, first, fragments);
  });
}
