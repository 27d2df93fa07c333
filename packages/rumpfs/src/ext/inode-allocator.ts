import { at, FsError } from '../errors.ts';
import { nextClear } from './bitmap.ts';
import { changeBitmap, readyBitmap } from './bitmaps.ts';
import { GROUP_FLAG } from './groups.ts';
import { Inode } from './inode.ts';
import { placeOf, readTable } from './inode-table.ts';
import { ROOT_INODE } from './superblock.ts';
import type { Volume } from './volume.ts';

const LINK_COUNT_OFFSET = 26;

/** Finds, takes and gives back inodes. As with blocks, bitmap and counts change in one turn. */
export class InodeAllocator {
  readonly #volume: Volume;
  /** For each group, a bit below which no inode is free. */
  readonly #hints: Uint32Array;
  #generation: number;

  constructor(volume: Volume) {
    this.#volume = volume;
    this.#hints = new Uint32Array(volume.superblock.groupCount);
    const random = new Uint32Array(1);
    volume.hypercalls.random(new Uint8Array(random.buffer));
    this.#generation = at(random, 0);
  }

  /**
   * A new inode near that of its directory, in memory only so far; its place on the device is in
   * memory and unused. Where all inodes left belong to nodes that have lost their names just now,
   * waits until those are free.
   */
  async allocate(parent: Inode, directory: boolean): Promise<Inode> {
    const { cache, groups, superblock } = this.#volume;
    for (;;) {
      const group = this.#chooseGroup(parent, directory);
      if (group < 0) {
        if (await this.#volume.reclaim()) continue;
        throw new FsError('NoSpace', `no free inode of ${superblock.inodesCount}`);
      }
      const bitmap = at(groups.inodeBitmap, group);
      const buffer = cache.peek(bitmap) ?? (await cache.read(bitmap));
      readyBitmap(this.#volume, 'inode', group, buffer);
      const from = Math.max(at(this.#hints, group), group === 0 ? superblock.firstInode - 1 : 0);
      const bit = nextClear(buffer.view, from, superblock.inodesPerGroup);
      this.#hints[group] = bit;
      if (bit === superblock.inodesPerGroup) {
        groups.countInodes(group, -at(groups.freeInodes, group), 0);
        continue;
      }
      const id = group * superblock.inodesPerGroup + bit + 1;
      if (!(await this.#initialiseBlocks(group))) continue;
      const place = placeOf(this.#volume, id);
      const table = cache.peek(place.block);
      if (table === undefined) {
        await readTable(this.#volume, id, place.block);
        continue;
      }
      const everUsed = bit < superblock.inodesPerGroup - at(groups.unusedInodes, group);
      if (everUsed && table.view.getUint16(place.offset + LINK_COUNT_OFFSET, true) !== 0) {
        throw this.#volume.corrupt(
          `group ${group}: its inode bitmap has inode ${id} as free, but it has links`,
        );
      }
      changeBitmap(this.#volume, buffer, bit, 1, true);
      groups.countInodes(group, -1, directory ? 1 : 0);
      groups.countUsedInodes(group, bit);
      const inode = new Inode(id);
      this.#generation = (this.#generation + 1) >>> 0;
      inode.generation = this.#generation;
      inode.madeAfterPasses = cache.passes;
      return inode;
    }
  }

  /** Gives an inode back. Rejects with `Corrupt` when it is free already. */
  async free(id: number, directory: boolean): Promise<void> {
    const { cache, groups, superblock } = this.#volume;
    const group = Math.floor((id - 1) / superblock.inodesPerGroup);
    const bit = (id - 1) % superblock.inodesPerGroup;
    const bitmap = at(groups.inodeBitmap, group);
    const buffer = cache.peek(bitmap) ?? (await cache.read(bitmap));
    readyBitmap(this.#volume, 'inode', group, buffer);
    if (nextClear(buffer.view, bit, bit + 1) === bit) {
      throw this.#volume.corrupt(`inode ${id} is freed but not in use`);
    }
    changeBitmap(this.#volume, buffer, bit, 1, false);
    groups.countInodes(group, 1, directory ? -1 : 0);
    this.#hints[group] = Math.min(at(this.#hints, group), bit);
  }

  /**
   * A group with inodes in use has an initialised block bitmap, too. False where it had to be read
   * first: then the caller looks again.
   */
  async #initialiseBlocks(group: number): Promise<boolean> {
    const { cache, groups } = this.#volume;
    if ((at(groups.flags, group) & GROUP_FLAG.blocksUninitialised) === 0) return true;
    const bitmap = at(groups.blockBitmap, group);
    const buffer = cache.peek(bitmap);
    if (buffer === undefined) await cache.read(bitmap);
    else readyBitmap(this.#volume, 'block', group, buffer);
    return false;
  }

  /** The group for a new inode; -1 when every inode is in use. */
  #chooseGroup(parent: Inode, directory: boolean): number {
    const { groups, superblock } = this.#volume;
    const parentGroup = Math.floor((parent.id - 1) / superblock.inodesPerGroup);
    if (groups.freeInodesTotal === 0) return -1;
    if (directory && parent.id === ROOT_INODE) return this.#emptiestGroup();
    const inodesLeast = directory ? this.#average(groups.freeInodesTotal) / 2 : 1;
    const blocksLeast = directory ? this.#average(groups.freeBlocksTotal) / 2 : 1;
    return this.#groupFrom(parentGroup, Math.max(1, inodesLeast), blocksLeast);
  }

  /**
   * The emptiest group. Directories of the root are spread over groups, because the nodes below
   * such a directory belong together and need room.
   */
  #emptiestGroup(): number {
    const { groups, superblock } = this.#volume;
    const inodesLeast = Math.max(1, this.#average(groups.freeInodesTotal));
    const blocksLeast = this.#average(groups.freeBlocksTotal);
    const start = this.#generation % superblock.groupCount;
    let best = -1;
    for (let step = 0; step < superblock.groupCount; step += 1) {
      const group = (start + step) % superblock.groupCount;
      if (at(groups.freeInodes, group) < inodesLeast || at(groups.freeBlocks, group) < blocksLeast) continue;
      if (best < 0 || at(groups.directories, group) < at(groups.directories, best)) best = group;
    }
    return best >= 0 ? best : this.#groupFrom(start, 1, 0);
  }

  /** The first group from `start` on with at least that much free, or else with any free inode. */
  #groupFrom(start: number, inodesLeast: number, blocksLeast: number): number {
    const { groups, superblock } = this.#volume;
    let some = -1;
    for (let step = 0; step < superblock.groupCount; step += 1) {
      const group = (start + step) % superblock.groupCount;
      const inodes = at(groups.freeInodes, group);
      if (inodes >= inodesLeast && at(groups.freeBlocks, group) >= blocksLeast) return group;
      if (inodes > 0 && some < 0) some = group;
    }
    return some;
  }

  #average(total: number): number {
    return Math.floor(total / this.#volume.superblock.groupCount);
  }
}
