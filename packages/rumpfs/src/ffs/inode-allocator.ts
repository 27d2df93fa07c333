import { Mutex } from '@ginit/core/async';
import { at, FsError } from '../errors.ts';
import { WAITERS } from '../hypercall/waiters.ts';
import { type CylinderGroup, isSet } from './cylinder-group.ts';
import { Inode } from './inode.ts';
import { placeOf } from './inode-table.ts';
import { ROOT_INODE } from './superblock.ts';
import type { Volume } from './volume.ts';

const RECLAIMS_MAX = 4;

/** Finds, takes and gives back inodes. As with fragments, bitmap and counts change in one turn. */
export class InodeAllocator {
  readonly #volume: Volume;
  readonly #oneWrite = new Mutex(WAITERS);
  #generation: number;

  constructor(volume: Volume) {
    this.#volume = volume;
    const random = new Uint32Array(1);
    volume.hypercalls.random(new Uint8Array(random.buffer));
    this.#generation = at(random, 0);
  }

  /**
   * A new inode, in memory only so far: a file's in the group of its directory, a directory's in
   * another one. Where all inodes left belong to nodes that have lost their names just now, waits
   * until those are free. Rejects with `NoSpace`.
   */
  async allocate(parent: Inode, directory: boolean): Promise<Inode> {
    for (let reclaims = 0; ; reclaims += 1) {
      const inode = await this.#find(parent, directory);
      if (inode !== undefined) return inode;
      if (reclaims < RECLAIMS_MAX && (await this.#volume.reclaim())) continue;
      throw new FsError('NoSpace', `no free inode of ${this.#volume.superblock.inodes}`);
    }
  }

  /** Gives an inode back. Rejects with `Corrupt` where it is free already. */
  async free(id: number, directory: boolean): Promise<void> {
    const { groups, superblock } = this.#volume;
    const index = Math.floor(id / superblock.inodesPerGroup);
    const bit = id % superblock.inodesPerGroup;
    const freed = await groups.use(index, (group) => {
      if (!isSet(group.inodeMap, bit)) return false;
      group.setInode(bit, false, directory);
      groups.countInodes(index, 1, directory ? -1 : 0);
      return true;
    });
    if (!freed) throw this.#volume.corrupt(`inode ${id} is freed but not in use`);
  }

  async #find(parent: Inode, directory: boolean): Promise<Inode | undefined> {
    const { groups, superblock } = this.#volume;
    const { groupCount, inodesPerGroup } = superblock;
    const parentGroup = Math.floor(parent.id / inodesPerGroup);
    const start = directory ? this.#groupForDirectory(parent, parentGroup) : parentGroup;
    for (let step = 0; step < groupCount; step += 1) {
      const index = (start + step) % groupCount;
      if (groups.freeInodes(index) <= 0) continue;
      const inode = await this.#takeIn(index, directory);
      if (inode !== undefined) return inode;
    }
    return undefined;
  }

  async #takeIn(index: number, directory: boolean): Promise<Inode | undefined> {
    const { groups, superblock, cache } = this.#volume;
    const first = index * superblock.inodesPerGroup;
    for (;;) {
      const { bit, written } = await groups.use(index, (group) => this.#candidate(group));
      if (bit < 0) return undefined;
      if (bit >= written) {
        await this.#writeInodes(index, written);
        continue;
      }
      const { fragment, offset } = placeOf(this.#volume, first + bit);
      const table = cache.peek(fragment) ?? (await cache.read(fragment));
      if (
        table.view.getUint16(offset, superblock.littleEndian) !== 0 &&
        !this.#volume.departures.has(first + bit)
      )
        throw this.#volume.corrupt(
          `cylinder group ${index}: its inode bitmap has inode ${first + bit} as free, but it is in use`,
        );
      const taken = await groups.use(index, (group) => {
        if (isSet(group.inodeMap, bit)) return false;
        group.setInode(bit, true, directory);
        groups.countInodes(index, -1, directory ? 1 : 0);
        return true;
      });
      if (taken) return this.#made(first + bit);
    }
  }

  #made(id: number): Inode {
    const inode = new Inode(id, this.#volume.superblock);
    this.#generation = (this.#generation + 1) >>> 0;
    inode.generation = this.#generation;
    inode.madeAfterPasses = this.#volume.cache.passes;
    return inode;
  }

  /** The first free inode of a group, -1 for none; and how many were written. */
  #candidate(group: CylinderGroup): { readonly bit: number; readonly written: number } {
    const { inodesPerGroup } = this.#volume.superblock;
    const map = group.inodeMap;
    const from = group.index === 0 ? ROOT_INODE + 1 : 0;
    for (let bit = from; bit < inodesPerGroup; bit += 1) {
      if ((bit & 7) === 0 && map[bit >>> 3] === 0xff) bit += 7;
      else if (!isSet(map, bit)) return { bit, written: group.writtenInodes };
    }
    return { bit: -1, written: group.writtenInodes };
  }

  /** UFS2 writes a block of inodes when the first of them is needed. */
  async #writeInodes(index: number, before: number): Promise<void> {
    const { superblock, groups } = this.#volume;
    await this.#oneWrite.acquire();
    try {
      if ((await groups.use(index, (group) => group.writtenInodes)) !== before) return;
      if (before % superblock.inodesPerBlock !== 0)
        throw this.#volume.corrupt(`cylinder group ${index}: ${before} written inodes`);
      const block = Math.floor(before / superblock.inodesPerBlock);
      const first = superblock.inodeTable(index) + block * superblock.fragmentsPerBlock;
      await this.#volume.writeFirst(first, new Uint8Array(superblock.blockSizeBytes));
      await groups.use(index, (group) => {
        group.writtenInodes = before + superblock.inodesPerBlock;
      });
    } finally {
      this.#oneWrite.release();
    }
  }

  /**
   * Directories of the root are spread: they go to the group with the fewest directories of those
   * with much room. Deeper ones stay near their parent as long as there is room.
   */
  #groupForDirectory(parent: Inode, parentGroup: number): number {
    const { groups, superblock } = this.#volume;
    const { groupCount } = superblock;
    const inodes = groups.totals.freeInodes / groupCount;
    const blocks = groups.totals.freeBlocks / groupCount;
    const roomy = (group: number): boolean =>
      groups.freeInodes(group) >= inodes && groups.freeBlocks(group) >= blocks;
    if (parent.id !== ROOT_INODE) {
      for (let step = 0; step < groupCount; step += 1) {
        const group = (parentGroup + step) % groupCount;
        if (groups.freeInodes(group) >= inodes / 2 && groups.freeBlocks(group) >= blocks / 2) return group;
      }
      return parentGroup;
    }
    const start = this.#generation % groupCount;
    let best = -1;
    for (let step = 0; step < groupCount; step += 1) {
      const group = (start + step) % groupCount;
      if (!roomy(group)) continue;
      if (best < 0 || groups.directories(group) < groups.directories(best)) best = group;
    }
    return best < 0 ? start : best;
  }
}
