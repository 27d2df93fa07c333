import { assert } from '../errors.ts';
import { Fields } from './fields.ts';
import type { Superblock } from './superblock.ts';

/*
 * The structure of a cylinder group:
 *
 *     4 magic · 8 time (UFS1) · 12 number · 20 fragments · 24 counts: directories, free blocks, free
 *     inodes, free fragments · 52 for each size, the free runs of fragments in blocks that are not
 *     wholly free · 92 place of the inode bitmap (set: in use) · 96 place of the fragment bitmap (set:
 *     free) · 104 place of the counts of free clusters by size · 108 place of the cluster bitmap (set:
 *     a free block) · 112 blocks in it · 120 inodes that were ever written (UFS2) · 136 time (UFS2)
 */
const MAGIC = 0x0009_0255;
const AT = { magic: 4, oldTime: 8, number: 12, fragments: 20, counts: 24, runs: 52 } as const;
const MAP_AT = { inodes: 92, fragments: 96, clusterCounts: 104, clusters: 108, clusterBlocks: 112 } as const;
const WRITTEN_INODES = 120;
const TIME = 136;
const HEADER_BYTES = 168;

/** What a change of the bitmaps changes in the counts. */
export interface CountChange {
  freeBlocks: number;
  freeFragments: number;
}

/** One cylinder group in memory. Its bitmaps change in one turn with its counts. */
export class CylinderGroup {
  readonly index: number;
  readonly fields: Fields;
  /** Whether it differs from the device. */
  dirty = false;
  /** The last use, in ticks of the table of groups. */
  usedAt = 0;
  readonly #superblock: Superblock;
  readonly #inodesAt: number;
  readonly #fragmentsAt: number;
  readonly #clusterCountsAt: number;
  readonly #clustersAt: number;
  readonly #clusterSizesMax: number;

  constructor(superblock: Superblock, index: number, bytes: Uint8Array) {
    this.index = index;
    this.fields = new Fields(bytes, superblock.littleEndian);
    this.#superblock = superblock;
    this.#inodesAt = this.fields.u32(MAP_AT.inodes);
    this.#fragmentsAt = this.fields.u32(MAP_AT.fragments);
    this.#clusterCountsAt = this.fields.u32(MAP_AT.clusterCounts);
    this.#clustersAt = this.fields.u32(MAP_AT.clusters);
    this.#clusterSizesMax = superblock.clusterSizesMax;
  }

  /** What contradicts the format in it; undefined where nothing does. */
  get mistake(): string | undefined {
    const { fields } = this;
    const { inodesPerGroup, groupSizeBytes } = this.#superblock;
    const magic = fields.u32(AT.magic);
    if (magic !== MAGIC) return `magic number 0x${magic.toString(16)}`;
    if (fields.u32(AT.number) !== this.index) return `calls itself group ${fields.u32(AT.number)}`;
    const fragments = this.#superblock.fragmentsIn(this.index);
    if (fields.u32(AT.fragments) !== fragments)
      return `${fields.u32(AT.fragments)} fragments, not ${fragments}`;
    if (this.writtenInodes > inodesPerGroup) return `${this.writtenInodes} written inodes`;
    return this.#mapsFit(groupSizeBytes, fragments)
      ? undefined
      : `maps at ${[this.#inodesAt, this.#fragmentsAt, this.#clusterCountsAt, this.#clustersAt].join(', ')}`;
  }

  /** Whether each of its maps has a place of its own behind the header. */
  #mapsFit(groupSizeBytes: number, fragments: number): boolean {
    const { inodesPerGroup, fragmentsPerBlock } = this.#superblock;
    const maps = [
      { at: this.#inodesAt, bytes: Math.ceil(inodesPerGroup / 8) },
      { at: this.#fragmentsAt, bytes: Math.ceil(fragments / 8) },
    ];
    if (this.#clusterSizesMax > 0) {
      const blocks = this.fields.u32(MAP_AT.clusterBlocks);
      if (blocks > Math.ceil(fragments / fragmentsPerBlock)) return false;
      // The first count is that of clusters of no blocks; its place may be another map's.
      maps.push({ at: this.#clusterCountsAt + 4, bytes: this.#clusterSizesMax * 4 });
      maps.push({ at: this.#clustersAt, bytes: Math.ceil(blocks / 8) });
    }
    let end = HEADER_BYTES;
    for (const { at, bytes } of maps.toSorted((one, other) => one.at - other.at)) {
      if (at < end) return false;
      end = at + bytes;
    }
    return end <= groupSizeBytes;
  }

  /** Inodes with lower numbers were written to the device once. */
  get writtenInodes(): number {
    return this.#superblock.revision === 1
      ? this.#superblock.inodesPerGroup
      : this.fields.u32(WRITTEN_INODES);
  }

  set writtenInodes(count: number) {
    this.fields.setU32(WRITTEN_INODES, count);
    this.dirty = true;
  }

  get freeInodes(): number {
    return this.fields.i32(AT.counts + 8);
  }

  /** The number of free runs of so many fragments in blocks that are partly used. */
  freeRuns(length: number): number {
    return this.fields.u32(AT.runs + length * 4);
  }

  setTime(nowMs: number): void {
    const seconds = Math.floor(nowMs / 1000);
    if (this.#superblock.revision === 1) this.fields.setU32(AT.oldTime, seconds);
    else this.fields.setI64(TIME, seconds);
  }

  /** The whole fragment bitmap, to be searched: set bits are free. */
  get freeMap(): Uint8Array {
    const length = Math.ceil(this.#superblock.fragmentsIn(this.index) / 8);
    return this.fields.bytes.subarray(this.#fragmentsAt, this.#fragmentsAt + length);
  }

  /** The inode bitmap: set bits are in use. */
  get inodeMap(): Uint8Array {
    const length = Math.ceil(this.#superblock.inodesPerGroup / 8);
    return this.fields.bytes.subarray(this.#inodesAt, this.#inodesAt + length);
  }

  /** Whether every one of some fragments has that state. */
  all(first: number, count: number, free: boolean): boolean {
    const map = this.freeMap;
    for (let bit = first; bit < first + count; bit += 1) if (isSet(map, bit) !== free) return false;
    return true;
  }

  /** Takes fragments into use, or frees them; all of them have the other state. */
  setFragments(first: number, count: number, free: boolean, change: CountChange): void {
    const perBlock = this.#superblock.fragmentsPerBlock;
    for (let at = first; at < first + count; ) {
      const block = Math.floor(at / perBlock);
      const end = Math.min(first + count, (block + 1) * perBlock);
      this.#setInBlock(block, at - block * perBlock, end - at, free, change);
      at = end;
    }
    this.dirty = true;
  }

  setInode(bit: number, inUse: boolean, directory: boolean): void {
    assert(isSet(this.inodeMap, bit) !== inUse, 'an inode changes its state');
    setBit(this.inodeMap, bit, inUse);
    this.#count(2, inUse ? -1 : 1);
    if (directory) this.#count(0, inUse ? 1 : -1);
    this.dirty = true;
  }

  #setInBlock(block: number, first: number, count: number, free: boolean, change: CountChange): void {
    const perBlock = this.#superblock.fragmentsPerBlock;
    const full = (1 << perBlock) - 1;
    const bits = ((1 << count) - 1) << first;
    const map = this.freeMap;
    const before = maskOf(map, block, perBlock);
    const after = free ? before | bits : before & ~bits;
    this.#account(before, full, -1, change);
    this.#account(after, full, 1, change);
    const shift = (block * perBlock) & 7;
    const byte = (block * perBlock) >>> 3;
    map[byte] = ((map[byte] ?? 0) & ~(full << shift)) | (after << shift);
    if ((before === full) !== (after === full)) this.#setCluster(block, after === full);
  }

  /** Adds what a block of that mask counts for, or takes it away. */
  #account(mask: number, full: number, sign: 1 | -1, change: CountChange): void {
    if (mask === full) {
      this.#count(1, sign);
      change.freeBlocks += sign;
      return;
    }
    for (let bit = 0; mask >>> bit !== 0; ) {
      let length = 0;
      while (((mask >>> (bit + length)) & 1) === 1) length += 1;
      if (length > 0) {
        const at = AT.runs + length * 4;
        this.fields.setU32(at, Math.max(0, this.fields.u32(at) + sign));
        this.#count(3, sign * length);
        change.freeFragments += sign * length;
      }
      bit += length + 1;
    }
  }

  #count(index: number, change: number): void {
    const at = AT.counts + index * 4;
    this.fields.setU32(at, Math.max(0, this.fields.i32(at) + change));
  }

  /**
   * Notes in the cluster bitmap that a block became free or was taken, and counts the runs anew.
   */
  #setCluster(block: number, free: boolean): void {
    const { fields } = this;
    const blocks = fields.u32(MAP_AT.clusterBlocks);
    const most = this.#clusterSizesMax;
    if (most === 0 || block >= blocks) return;
    const map = fields.bytes.subarray(this.#clustersAt, this.#clustersAt + Math.ceil(blocks / 8));
    setBit(map, block, free);
    let before = 0;
    while (before < most && block - before > 0 && isSet(map, block - before - 1)) before += 1;
    let behind = 0;
    while (behind < most && block + behind + 1 < blocks && isSet(map, block + behind + 1)) behind += 1;
    const add = (length: number, sign: number): void => {
      if (length === 0) return;
      const at = this.#clusterCountsAt + Math.min(length, most) * 4;
      fields.setU32(at, Math.max(0, fields.u32(at) + sign));
    };
    const sign = free ? 1 : -1;
    add(before + behind + 1, sign);
    add(before, -sign);
    add(behind, -sign);
  }
}

export function isSet(map: Uint8Array, bit: number): boolean {
  return (((map[bit >>> 3] ?? 0) >>> (bit & 7)) & 1) === 1;
}

export function setBit(map: Uint8Array, bit: number, on: boolean): void {
  const byte = map[bit >>> 3] ?? 0;
  map[bit >>> 3] = on ? byte | (1 << (bit & 7)) : byte & ~(1 << (bit & 7));
}

/** The bits of a block in a bitmap of fragments. */
export function maskOf(map: Uint8Array, block: number, perBlock: number): number {
  const bit = block * perBlock;
  return ((map[bit >>> 3] ?? 0) >>> (bit & 7)) & ((1 << perBlock) - 1);
}
