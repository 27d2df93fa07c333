import { at, FsError } from '../errors.ts';
import { allSet } from './bitmap.ts';
import { changeBitmap, readyBitmap } from './bitmaps.ts';
import type { Run } from './run.ts';
import type { Inode } from './inode.ts';
import { Reservations } from './reservations.ts';
import type { Volume } from './volume.ts';

/**
 * A run shorter than this is taken in the wanted group only if the groups nearby have no longer
 * one.
 */
const GOOD_RUN = 32;
/** The number of groups that are searched for a good run before any run will do. */
const NEARBY_GROUPS = 4;
/** The number of free runs of one group that are compared before the longest so far is taken. */
const RUNS_COMPARED = 64;
const RESERVED_BLOCKS_MIN = 8;
const RESERVED_BYTES_MAX = 1024 * 1024;
/**
 * The number of times that a caller which finds no block waits for freed blocks: other callers may
 * be faster each time.
 */
const RECLAIMS_MAX = 4;

/**
 * The requirements of one search for blocks in a group. All numbers are of clusters, for each of
 * which a bitmap has a bit: without bigalloc a cluster is a block.
 */
interface Wish {
  readonly owner: Inode;
  /** The number of clusters to take from the run that is found. */
  readonly take: number;
  /** The wanted length of the run. */
  readonly count: number;
  /** Shorter runs are not accepted. */
  readonly least: number;
  readonly respectReservations: boolean;
}

/**
 * Finds, takes and gives back blocks. Bitmaps change in one turn with their counts, so no lock is
 * needed.
 */
export class BlockAllocator {
  readonly reservations = new Reservations();
  readonly #volume: Volume;

  constructor(volume: Volume) {
    this.#volume = volume;
  }

  /**
   * Takes up to `count` adjacent blocks for `owner`, as near behind `goal` as can be, into `run`.
   * With bigalloc they begin with a cluster, and whole clusters are taken.
   * `grow` says that the file is growing at its end: then a place with more room is looked for, and
   * the blocks that follow are kept for the file, twice as many each time. Where all free blocks
   * were freed just now, waits until that is durable. Rejects with `NoSpace`.
   */
  async allocate(owner: Inode, goal: number, count: number, grow: boolean, run: Run): Promise<void> {
    run.unwritten = 0;
    for (let reclaims = 0; !(await this.#find(owner, goal, count, grow, run)); reclaims += 1) {
      if (reclaims === RECLAIMS_MAX || !(await this.#volume.reclaim())) {
        throw new FsError('NoSpace', `no free block of ${this.#volume.groups.freeBlocksTotal}`);
      }
    }
  }

  async #find(owner: Inode, goal: number, count: number, grow: boolean, run: Run): Promise<boolean> {
    const { clusterBlocks } = this.#volume.superblock;
    const kept = goal >= owner.reservedFirst && goal < owner.reservedEnd;
    const extra = grow && !kept ? Math.ceil(this.#nextWindow(owner) / clusterBlocks) : 0;
    const take = Math.ceil(count / clusterBlocks);
    const wish = { owner, take, count: take + extra, respectReservations: true };
    const searched =
      (await this.#search(goal, NEARBY_GROUPS, { ...wish, least: Math.min(wish.count, GOOD_RUN) }, run)) ||
      (await this.#search(goal, Infinity, { ...wish, least: 1 }, run)) ||
      (await this.#search(goal, Infinity, { ...wish, least: 1, respectReservations: false }, run));
    if (!searched) return false;
    const found = run.count * clusterBlocks;
    const end = run.block + Math.min(found, take * clusterBlocks);
    if (kept && end > owner.reservedFirst && end <= owner.reservedEnd) owner.reservedFirst = end;
    else if (extra > 0) this.reservations.reserve(owner, end, run.block + found - end);
    run.count = Math.min(found, count);
    return true;
  }

  /**
   * Gives back adjacent blocks, with bigalloc the whole clusters in which they lie. They are not
   * used again before that is durable; nothing in the cache may lead to them any more. Rejects with
   * `Corrupt` when some of them are free already or cannot belong to a file.
   */
  async free(firstBlock: number, blockCount: number, owner: string): Promise<void> {
    const { cache, frees, groups, superblock } = this.#volume;
    const { clusterBlocks, firstDataBlock } = superblock;
    const first = firstBlock - ((firstBlock - firstDataBlock) % clusterBlocks);
    const count = Math.ceil((firstBlock + blockCount - first) / clusterBlocks) * clusterBlocks;
    for (let block = first; block < first + count; ) {
      this.#volume.requireFileBlocks(block, 1, owner);
      const group = groups.groupOf(block);
      const start = groups.firstBlockOf(group);
      const length = Math.min(first + count, start + groups.blocksIn(group)) - block;
      this.#volume.requireFileBlocks(block, length, owner);
      const bitmap = at(groups.blockBitmap, group);
      const buffer = cache.peek(bitmap) ?? (await cache.read(bitmap));
      readyBitmap(this.#volume, 'block', group, buffer);
      const [bit, bits] = [(block - start) / clusterBlocks, Math.ceil(length / clusterBlocks)];
      if (!allSet(buffer.view, bit, bits)) {
        throw this.#volume.corrupt(`${owner}: block ${block} or one behind it is freed but not in use`);
      }
      changeBitmap(this.#volume, buffer, bit, bits, false);
      groups.countBlocks(group, bits);
      frees.add(group, bit, bits);
      this.#volume.journalling?.journal.freed(block, length);
      for (let freed = block; freed < block + length; freed += 1) cache.forget(freed);
      block += length;
    }
  }

  async #search(goal: number, groupsMax: number, wish: Wish, run: Run): Promise<boolean> {
    const { cache, groups, superblock } = this.#volume;
    if (groups.freeBlocksTotal === 0) return false;
    const valid = goal >= superblock.firstDataBlock && goal < superblock.blocksCount;
    const goalGroup = valid ? groups.groupOf(goal) : 0;
    const looked = Math.min(groupsMax, superblock.groupCount);
    for (let step = 0; step < looked; step += 1) {
      const group = (goalGroup + step) % superblock.groupCount;
      if (at(groups.freeBlocks, group) < wish.least) continue;
      const bitmap = at(groups.blockBitmap, group);
      const buffer = cache.peek(bitmap) ?? (await cache.read(bitmap));
      readyBitmap(this.#volume, 'block', group, buffer);
      const { clusterBlocks } = superblock;
      const start = groups.firstBlockOf(group);
      const from = step === 0 && valid ? Math.floor((goal - start) / clusterBlocks) : 0;
      // A cluster that is cut off by the end is nobody's.
      const inGroup = Math.floor(groups.blocksIn(group) / clusterBlocks);
      const found =
        this.#longestRun(buffer.view, group, from, inGroup, wish, run) ||
        (from > 0 && this.#longestRun(buffer.view, group, 0, from, wish, run));
      if (!found) continue;
      if (groups.zones.touch(run.block, run.count * clusterBlocks)) {
        throw this.#volume.corrupt(`group ${group}: its block bitmap has structures of the group as free`);
      }
      const taken = Math.min(run.count, wish.take);
      changeBitmap(this.#volume, buffer, (run.block - start) / clusterBlocks, taken, true);
      groups.countBlocks(group, -taken);
      cache.dataFirst();
      run.fresh = true;
      return true;
    }
    return false;
  }

  /**
   * The first run between two bits that is long enough for the whole wish, else the longest of the
   * runs compared.
   */
  #longestRun(view: DataView, group: number, from: number, end: number, wish: Wish, run: Run): boolean {
    const { frees, groups, superblock } = this.#volume;
    const { clusterBlocks } = superblock;
    const start = groups.firstBlockOf(group);
    run.count = 0;
    let bit = from;
    for (let compared = 0; compared < RUNS_COMPARED || run.count < wish.least; compared += 1) {
      bit = frees.nextUsable(view, group, bit, end);
      if (wish.respectReservations) {
        const reserved = this.reservations.skip(wish.owner, start + bit * clusterBlocks) - start;
        const free = Math.ceil(reserved / clusterBlocks);
        if (free !== bit) {
          bit = free;
          if (bit >= end) break;
          continue;
        }
      }
      if (bit >= end) break;
      let stop = Math.min(end, bit + wish.count);
      if (wish.respectReservations) {
        const [first, last] = [start + bit * clusterBlocks, start + stop * clusterBlocks];
        stop = Math.floor((this.reservations.limit(wish.owner, first, last) - start) / clusterBlocks);
      }
      stop = frees.nextUnusable(view, group, bit, stop);
      if (stop - bit > run.count) {
        run.block = start + bit * clusterBlocks;
        run.count = stop - bit;
      }
      if (run.count === wish.count) break;
      bit = Math.max(stop, bit + 1);
    }
    return run.count >= wish.least;
  }

  #nextWindow(owner: Inode): number {
    const most = Math.max(RESERVED_BLOCKS_MIN, Math.floor(RESERVED_BYTES_MAX / this.#volume.blockSizeBytes));
    owner.reservedWindow = Math.min(most, Math.max(RESERVED_BLOCKS_MIN, owner.reservedWindow * 2));
    return owner.reservedWindow;
  }
}
