import { FsError } from '../errors.ts';
import { Run, tryMap } from './block-map.ts';
import { type CountChange, type CylinderGroup, isSet, maskOf } from './cylinder-group.ts';
import type { Inode } from './inode.ts';
import type { Volume } from './volume.ts';

/** A run of at least so many blocks is good enough for a long file. */
const GOOD_BLOCKS = 16;
/**
 * The number of times that a caller which finds no space waits for what was freed: other callers
 * may be faster each time.
 */
const RECLAIMS_MAX = 4;

/** Takes something in a group, if it is there. `from` is the wanted block of that group. */
type Take = (group: CylinderGroup, usable: Uint8Array, from: number) => boolean;

/**
 * Finds, takes and gives back blocks and fragments, by the rules of FFS: as near behind the goal as
 * can be, else in groups at growing distances, else anywhere. Bitmaps change in one turn with their
 * counts, so no lock is needed.
 */
export class FragmentAllocator {
  readonly #volume: Volume;

  constructor(volume: Volume) {
    this.#volume = volume;
  }

  /** The wanted place of a file's block: behind the one before it; else near its inode. */
  goalFor(inode: Inode, logical: number): number {
    const { superblock } = this.#volume;
    const step = superblock.fragmentsPerBlock;
    const home = superblock.dataStart(Math.floor(inode.id / superblock.inodesPerGroup));
    if (logical === 0) return home;
    let before = inode.lastLogicalBlock === logical - 1 ? inode.lastFragment : 0;
    if (before === 0) {
      const run = new Run();
      if (tryMap(this.#volume, inode, logical - 1, 1, run) === 0) before = run.fragment;
    }
    // A long file leaves room in each group for others.
    if (logical % superblock.blocksPerFileInGroup === 0)
      return this.#roomyGroup(before === 0 ? home : before);
    return before === 0 ? home : before + step;
  }

  /**
   * Takes up to `countMax` whole blocks side by side into `run`. Where all free ones were freed
   * just now, waits until that is durable. Rejects with `NoSpace`.
   */
  async takeBlocks(goal: number, countMax: number, run: Run): Promise<void> {
    const perBlock = this.#volume.superblock.fragmentsPerBlock;
    await this.#take(goal, perBlock, (group, usable, from) => {
      const found = longestRun(usable, perBlock, from, this.#blocksIn(group), countMax);
      if (found.count === 0) return false;
      run.fragment = this.#occupy(group, found.block * perBlock, found.count * perBlock);
      run.count = found.count;
      return true;
    });
  }

  /**
   * Takes `count` fragments within one block. With `roomy` from a whole free block, where there is
   * one, so that they can grow in place. Resolves to the first. Rejects with `NoSpace`.
   */
  async takeFragments(goal: number, count: number, roomy: boolean): Promise<number> {
    const perBlock = this.#volume.superblock.fragmentsPerBlock;
    let first = 0;
    const split: Take = (group, usable, from) => {
      const { block, count: found } = longestRun(usable, perBlock, from, this.#blocksIn(group), 1);
      if (found > 0) first = this.#occupy(group, block * perBlock, count);
      return found > 0;
    };
    const fit: Take = (group, usable, from) => {
      const at = this.#bestFit(group, usable, from, count);
      if (at >= 0) first = this.#occupy(group, at, count);
      return at >= 0;
    };
    await this.#take(goal, count, (group, usable, from) =>
      roomy
        ? split(group, usable, from) || fit(group, usable, from)
        : fit(group, usable, from) || split(group, usable, from),
    );
    return first;
  }

  /** Lets `had` fragments at `first` grow to `wanted` where they are. False if others are there. */
  async extend(first: number, had: number, wanted: number): Promise<boolean> {
    const { superblock, groups, frees } = this.#volume;
    if ((first % superblock.fragmentsPerBlock) + wanted > superblock.fragmentsPerBlock) return false;
    const index = superblock.groupOf(first);
    const at = first - superblock.groupStart(index) + had;
    if (at + wanted - had > superblock.fragmentsIn(index)) return false;
    return groups.use(index, (group) => {
      const usable = frees.usable(index, group.freeMap);
      for (let bit = at; bit < at + wanted - had; bit += 1) if (!isSet(usable, bit)) return false;
      this.#occupy(group, at, wanted - had);
      return true;
    });
  }

  /**
   * Gives back adjacent fragments. They are not used again before that is durable; nothing in the
   * cache may lead to them any more. Rejects with `Corrupt` where some of them are free already.
   */
  async free(first: number, count: number, owner: string): Promise<void> {
    const { cache, frees, groups, superblock } = this.#volume;
    const perBlock = superblock.fragmentsPerBlock;
    for (let at = first; at < first + count; ) {
      const length = Math.min(first + count - at, perBlock - (at % perBlock));
      this.#volume.requireFragments(at, length, owner);
      const index = superblock.groupOf(at);
      const bit = at - superblock.groupStart(index);
      const inUse = await groups.use(index, (group) => {
        if (!group.all(bit, length, false)) return false;
        const change: CountChange = { freeBlocks: 0, freeFragments: 0 };
        group.setFragments(bit, length, true, change);
        groups.countSpace(index, change);
        frees.add(index, bit, length);
        return true;
      });
      if (!inUse)
        throw this.#volume.corrupt(`${owner}: fragment ${at} or one behind it is freed but not in use`);
      this.#volume.journalling?.log.freed(at, length);
      for (let freed = at; freed < at + length; freed += 1) cache.forget(freed);
      at += length;
    }
  }

  async #take(goal: number, needed: number, take: Take): Promise<void> {
    for (let reclaims = 0; !(await this.#search(goal, needed, take)); reclaims += 1) {
      if (reclaims < RECLAIMS_MAX && (await this.#volume.reclaim())) continue;
      const { freeBlocks, freeFragments } = this.#volume.groups.totals;
      throw new FsError('NoSpace', `no room: ${freeBlocks} blocks and ${freeFragments} fragments are free`);
    }
    this.#volume.cache.dataFirst();
  }

  async #search(goal: number, needed: number, take: Take): Promise<boolean> {
    const { superblock, groups, frees } = this.#volume;
    const { groupCount, fragments, fragmentsPerBlock } = superblock;
    const valid = goal > 0 && goal < fragments;
    const home = valid ? superblock.groupOf(goal) : 0;
    for (const index of searchOrder(home, groupCount)) {
      const whole = groups.freeBlocks(index) > 0;
      if (!whole && (needed === fragmentsPerBlock || groups.freeFragments(index) < needed)) continue;
      const near = index === home && valid ? goal - superblock.groupStart(index) : 0;
      const from = Math.floor(near / fragmentsPerBlock);
      if (await groups.use(index, (group) => take(group, frees.usable(index, group.freeMap), from)))
        return true;
    }
    return false;
  }

  /** Marks free fragments of a group as in use; returns the first, counted in the file system. */
  #occupy(group: CylinderGroup, at: number, count: number): number {
    const { superblock, groups } = this.#volume;
    const perBlock = superblock.fragmentsPerBlock;
    const first = superblock.groupStart(group.index) + at;
    for (let from = first; from < first + count; ) {
      const length = Math.min(first + count - from, perBlock - (from % perBlock));
      this.#volume.requireFragments(from, length, `cylinder group ${group.index}, its free map`);
      from += length;
    }
    const change: CountChange = { freeBlocks: 0, freeFragments: 0 };
    group.setFragments(at, count, false, change);
    groups.countSpace(group.index, change);
    return first;
  }

  /**
   * The smallest run of free fragments in a partly used block that is large enough; -1 for none.
   */
  #bestFit(group: CylinderGroup, usable: Uint8Array, from: number, count: number): number {
    const perBlock = this.#volume.superblock.fragmentsPerBlock;
    let possible = false;
    for (let size = count; size < perBlock; size += 1) possible ||= group.freeRuns(size) > 0;
    if (!possible) return -1;
    const blocks = this.#blocksIn(group);
    let best = -1;
    let bestLength = perBlock;
    for (let step = 0; step < blocks && bestLength > count; step += 1) {
      const block = (from + step) % blocks;
      const mask = maskOf(usable, block, perBlock);
      if (mask === 0 || mask === (1 << perBlock) - 1) continue;
      for (let bit = 0; bit < perBlock; ) {
        let length = 0;
        while (((mask >>> (bit + length)) & 1) === 1) length += 1;
        if (length >= count && length < bestLength) {
          best = block * perBlock + bit;
          bestLength = length;
        }
        bit += length + 1;
      }
    }
    return best;
  }

  /** The blocks of a group, a last one of less than all fragments included. */
  #blocksIn(group: CylinderGroup): number {
    const { superblock } = this.#volume;
    return Math.ceil(superblock.fragmentsIn(group.index) / superblock.fragmentsPerBlock);
  }

  /** The data of the next group behind a fragment that has more free blocks than most. */
  #roomyGroup(fragment: number): number {
    const { superblock, groups } = this.#volume;
    const { groupCount } = superblock;
    const home = superblock.groupOf(fragment);
    const average = groups.totals.freeBlocks / groupCount;
    for (let step = 1; step < groupCount; step += 1) {
      const group = (home + step) % groupCount;
      if (groups.freeBlocks(group) >= average) return superblock.dataStart(group);
    }
    return fragment + superblock.fragmentsPerBlock;
  }
}

/** The groups from `home` on: first at distances that double, then all. */
function* searchOrder(home: number, groupCount: number): Generator<number> {
  yield home;
  let group = home;
  for (let step = 1; step < groupCount; step *= 2) {
    group = (group + step) % groupCount;
    yield group;
  }
  for (let step = 2; step < groupCount + 1; step += 1) yield (home + step) % groupCount;
}

/**
 * Free blocks side by side, at most `countMax`: those at `from`, if that is free, else the first
 * good run behind it, else the longest.
 */
function longestRun(
  usable: Uint8Array,
  perBlock: number,
  from: number,
  blocks: number,
  countMax: number,
): { readonly block: number; readonly count: number } {
  const full = (1 << perBlock) - 1;
  const runAt = (block: number): number => {
    let count = 0;
    while (count < countMax && block + count < blocks && maskOf(usable, block + count, perBlock) === full)
      count += 1;
    return count;
  };
  const wanted = Math.min(countMax, GOOD_BLOCKS);
  let best = { block: 0, count: 0 };
  for (let step = 0; step < blocks; ) {
    const block = (from + step) % blocks;
    const count = runAt(block);
    if (count > best.count) best = { block, count };
    if ((step === 0 && count > 0) || count >= wanted) break;
    step += count + 1;
  }
  return best;
}
