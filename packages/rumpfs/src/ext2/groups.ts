import { at, FsError } from '../errors.ts';
import { DESCRIPTOR_BYTES, type Superblock } from './superblock.ts';

/**
 * The group descriptors: 32 bytes each, in the blocks behind the superblock. They say where a
 * group's bitmaps and inode table are and how much of the group is free. They are kept in typed
 * arrays, because the search for a group with room looks at many of them; `store` writes one back.
 */
const FIELD = {
  blockBitmap: 0,
  inodeBitmap: 4,
  inodeTable: 8,
  freeBlocks: 12,
  freeInodes: 14,
  directories: 16,
};

export class Groups {
  readonly blockBitmap: Uint32Array;
  readonly inodeBitmap: Uint32Array;
  readonly inodeTable: Uint32Array;
  readonly freeBlocks: Uint16Array;
  readonly freeInodes: Uint16Array;
  readonly directories: Uint16Array;
  freeBlocksTotal = 0;
  freeInodesTotal = 0;
  /** The groups to be stored. */
  readonly dirty = new Set<number>();
  readonly #superblock: Superblock;

  constructor(superblock: Superblock) {
    const count = superblock.groupCount;
    this.#superblock = superblock;
    this.blockBitmap = new Uint32Array(count);
    this.inodeBitmap = new Uint32Array(count);
    this.inodeTable = new Uint32Array(count);
    this.freeBlocks = new Uint16Array(count);
    this.freeInodes = new Uint16Array(count);
    this.directories = new Uint16Array(count);
  }

  /** Reads a descriptor. Throws `Corrupt` when it points out of its group. */
  load(group: number, view: DataView, offset: number): void {
    this.blockBitmap[group] = view.getUint32(offset + FIELD.blockBitmap, true);
    this.inodeBitmap[group] = view.getUint32(offset + FIELD.inodeBitmap, true);
    this.inodeTable[group] = view.getUint32(offset + FIELD.inodeTable, true);
    this.freeBlocks[group] = Math.min(view.getUint16(offset + FIELD.freeBlocks, true), this.blocksIn(group));
    this.freeInodes[group] = Math.min(
      view.getUint16(offset + FIELD.freeInodes, true),
      this.#superblock.inodesPerGroup,
    );
    this.directories[group] = view.getUint16(offset + FIELD.directories, true);
    this.freeBlocksTotal += at(this.freeBlocks, group);
    this.freeInodesTotal += at(this.freeInodes, group);
    this.#requireInside(group, 'block bitmap', at(this.blockBitmap, group), 1);
    this.#requireInside(group, 'inode bitmap', at(this.inodeBitmap, group), 1);
    this.#requireInside(group, 'inode table', at(this.inodeTable, group), this.#superblock.inodeTableBlocks);
  }

  /** Writes the counts of a group into its descriptor. */
  store(group: number, view: DataView, offset: number): void {
    view.setUint16(offset + FIELD.freeBlocks, at(this.freeBlocks, group), true);
    view.setUint16(offset + FIELD.freeInodes, at(this.freeInodes, group), true);
    view.setUint16(offset + FIELD.directories, at(this.directories, group), true);
  }

  countBlocks(group: number, change: number): void {
    const counted = clamp(at(this.freeBlocks, group) + change);
    this.freeBlocksTotal += counted - at(this.freeBlocks, group);
    this.freeBlocks[group] = counted;
    this.dirty.add(group);
  }

  countInodes(group: number, change: number, directories: number): void {
    const counted = clamp(at(this.freeInodes, group) + change);
    this.freeInodesTotal += counted - at(this.freeInodes, group);
    this.freeInodes[group] = counted;
    this.directories[group] = clamp(at(this.directories, group) + directories);
    this.dirty.add(group);
  }

  /** The place of a group's descriptor. */
  descriptorOf(group: number): { readonly block: number; readonly offset: number } {
    const { blockSizeBytes, firstDataBlock } = this.#superblock;
    const position = group * DESCRIPTOR_BYTES;
    const block = firstDataBlock + 1 + Math.floor(position / blockSizeBytes);
    return { block, offset: position % blockSizeBytes };
  }

  groupOf(block: number): number {
    return Math.floor((block - this.#superblock.firstDataBlock) / this.#superblock.blocksPerGroup);
  }

  firstBlockOf(group: number): number {
    return this.#superblock.firstDataBlock + group * this.#superblock.blocksPerGroup;
  }

  blocksIn(group: number): number {
    return Math.min(this.#superblock.blocksPerGroup, this.#superblock.blocksCount - this.firstBlockOf(group));
  }

  /**
   * Whether any of `count` blocks from `first` on, all in one group, is a structure of the file
   * system itself.
   */
  holdsStructures(first: number, count: number): boolean {
    const group = this.groupOf(first);
    const end = first + count;
    const table = at(this.inodeTable, group);
    if (end > table && first < table + this.#superblock.inodeTableBlocks) return true;
    const blockBitmap = at(this.blockBitmap, group);
    const inodeBitmap = at(this.inodeBitmap, group);
    if (first <= blockBitmap && blockBitmap < end) return true;
    if (first <= inodeBitmap && inodeBitmap < end) return true;
    return (
      this.#superblock.hasCopy(group) &&
      first < this.firstBlockOf(group) + 1 + this.#superblock.descriptorBlocks
    );
  }

  #requireInside(group: number, what: string, block: number, count: number): void {
    const first = this.firstBlockOf(group);
    if (block >= first && block + count <= first + this.blocksIn(group)) return;
    throw new FsError('Corrupt', `ext2: group ${group}: ${what} at block ${block} lies outside the group`);
  }
}

function clamp(count: number): number {
  return Math.max(0, Math.min(0xffff, count));
}
