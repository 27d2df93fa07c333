import { crc16, crc16OfLong, CRC_START, crc32c, crc32cOfLong, crc32cOfZeros } from '../checksum/crc.ts';
import { at, FsError } from '../errors.ts';
import { INCOMPATIBLE_FEATURE, READ_ONLY_FEATURE } from './features.ts';
import { StructureZones } from './structure-zones.ts';
import { type Superblock, SUPERBLOCK_OFFSET } from './superblock.ts';

/**
 * The group descriptors: 32 or 64 bytes each, in the blocks behind the superblock, or with meta_bg
 * in the groups that they describe. They say where a group's bitmaps and inode table are and how
 * much of the group is free. They are kept in typed arrays, because the search for a group with
 * room looks at many of them; `encode` brings the bytes up to date.
 */
const FIELD = {
  blockBitmap: 0,
  inodeBitmap: 4,
  inodeTable: 8,
  freeBlocks: 12,
  freeInodes: 14,
  directories: 16,
  flags: 18,
  blockBitmapChecksum: 24,
  inodeBitmapChecksum: 26,
  unusedInodes: 28,
  checksum: 30,
} as const;
/** The upper halves of the fields, in descriptors of 64 bytes. */
const HIGH_FIELD = {
  blockBitmap: 32,
  inodeBitmap: 36,
  inodeTable: 40,
  freeBlocks: 44,
  freeInodes: 46,
  directories: 48,
  unusedInodes: 50,
  blockBitmapChecksum: 56,
  inodeBitmapChecksum: 58,
} as const;
const WIDE_BYTES = 64;

export const GROUP_FLAG = {
  /** The inode bitmap is not initialised: every inode is free. */
  inodesUninitialised: 1,
  /** The block bitmap is not initialised: every block but those of structures is free. */
  blocksUninitialised: 2,
} as const;

export type BitmapKind = 'block' | 'inode';

export class Groups {
  readonly blockBitmap: Float64Array;
  readonly inodeBitmap: Float64Array;
  readonly inodeTable: Float64Array;
  /** The numbers of free blocks, in clusters. */
  readonly freeBlocks: Uint32Array;
  readonly freeInodes: Uint32Array;
  readonly directories: Uint32Array;
  readonly flags: Uint16Array;
  /** The numbers of inodes at the end of the tables that were never used. */
  readonly unusedInodes: Uint32Array;
  freeBlocksTotal = 0;
  freeInodesTotal = 0;
  /** The groups whose descriptors have to be written. */
  readonly dirty = new Set<number>();
  readonly zones: StructureZones;
  readonly #superblock: Superblock;
  /** The descriptors as on the device, one behind the other. */
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(superblock: Superblock) {
    const count = superblock.groupCount;
    this.#superblock = superblock;
    this.#bytes = new Uint8Array(superblock.descriptorBlocks * superblock.blockSizeBytes);
    this.#view = new DataView(this.#bytes.buffer);
    this.blockBitmap = new Float64Array(count);
    this.inodeBitmap = new Float64Array(count);
    this.inodeTable = new Float64Array(count);
    this.freeBlocks = new Uint32Array(count);
    this.freeInodes = new Uint32Array(count);
    this.directories = new Uint32Array(count);
    this.flags = new Uint16Array(count);
    this.unusedInodes = new Uint32Array(count);
    this.zones = new StructureZones(superblock.firstDataBlock, superblock.blocksCount);
  }

  /** The memory that the descriptors of a file system take. */
  static bytesFor(superblock: Superblock): number {
    return superblock.descriptorBlocks * superblock.blockSizeBytes + superblock.groupCount * 42;
  }

  /** The bytes of the descriptors in block number `index` of them. */
  bytesOf(index: number): Uint8Array {
    const { blockSizeBytes } = this.#superblock;
    return this.#bytes.subarray(index * blockSizeBytes, (index + 1) * blockSizeBytes);
  }

  /** The place on the device of block number `index` of the descriptors. */
  descriptorBlock(index: number): number {
    const { firstMetaGroup, blockSizeBytes, descriptorBytes } = this.#superblock;
    if (index < firstMetaGroup) return this.#superblockBlock + 1 + index;
    const group = index * (blockSizeBytes / descriptorBytes);
    const first = group === 0 ? this.#superblockBlock : this.firstBlockOf(group);
    return first + (this.#superblock.hasCopy(group) ? 1 : 0);
  }

  /** The number of the block of descriptors that has a group's. */
  descriptorIndexOf(group: number): number {
    return Math.floor((group * this.#superblock.descriptorBytes) / this.#superblock.blockSizeBytes);
  }

  /** Reads all descriptors. Throws `Corrupt` when one points out of its group, or is damaged. */
  decode(): void {
    for (let group = 0; group < this.#superblock.groupCount; group += 1) this.#decode(group);
    this.#addZones();
  }

  #decode(group: number): void {
    const { inodesPerGroup, inodeTableBlocks, describesUninitialised } = this.#superblock;
    if (describesUninitialised) this.#checkChecksum(group);
    this.blockBitmap[group] = this.#long(group, FIELD.blockBitmap, HIGH_FIELD.blockBitmap);
    this.inodeBitmap[group] = this.#long(group, FIELD.inodeBitmap, HIGH_FIELD.inodeBitmap);
    this.inodeTable[group] = this.#long(group, FIELD.inodeTable, HIGH_FIELD.inodeTable);
    const freeBlocks = this.#short(group, FIELD.freeBlocks, HIGH_FIELD.freeBlocks);
    const freeInodes = this.#short(group, FIELD.freeInodes, HIGH_FIELD.freeInodes);
    this.freeBlocks[group] = Math.min(freeBlocks, this.clustersIn(group));
    this.freeInodes[group] = Math.min(freeInodes, inodesPerGroup);
    this.directories[group] = this.#short(group, FIELD.directories, HIGH_FIELD.directories);
    if (describesUninitialised) {
      this.flags[group] = this.#view.getUint16(this.#offsetOf(group) + FIELD.flags, true);
      const unused = this.#short(group, FIELD.unusedInodes, HIGH_FIELD.unusedInodes);
      this.unusedInodes[group] = Math.min(unused, inodesPerGroup);
    }
    this.freeBlocksTotal += at(this.freeBlocks, group);
    this.freeInodesTotal += at(this.freeInodes, group);
    this.#requireInside(group, 'block bitmap', this.blockBitmap[group] ?? 0, 1);
    this.#requireInside(group, 'inode bitmap', this.inodeBitmap[group] ?? 0, 1);
    this.#requireInside(group, 'inode table', this.inodeTable[group] ?? 0, inodeTableBlocks);
  }

  /** Brings the bytes of a group's descriptor up to date. The checksums of bitmaps are as set. */
  encode(group: number): void {
    this.#setShort(group, FIELD.freeBlocks, HIGH_FIELD.freeBlocks, at(this.freeBlocks, group));
    this.#setShort(group, FIELD.freeInodes, HIGH_FIELD.freeInodes, at(this.freeInodes, group));
    this.#setShort(group, FIELD.directories, HIGH_FIELD.directories, at(this.directories, group));
    if (!this.#superblock.describesUninitialised) return;
    const offset = this.#offsetOf(group);
    this.#view.setUint16(offset + FIELD.flags, at(this.flags, group), true);
    this.#setShort(group, FIELD.unusedInodes, HIGH_FIELD.unusedInodes, at(this.unusedInodes, group));
    this.#view.setUint16(offset + FIELD.checksum, this.#checksum(group), true);
  }

  /** The checksum that a bitmap has according to its descriptor, in as many bits as fit there. */
  bitmapChecksum(group: number, kind: BitmapKind): number {
    return kind === 'block'
      ? this.#short(group, FIELD.blockBitmapChecksum, HIGH_FIELD.blockBitmapChecksum)
      : this.#short(group, FIELD.inodeBitmapChecksum, HIGH_FIELD.inodeBitmapChecksum);
  }

  setBitmapChecksum(group: number, kind: BitmapKind, bitmap: Uint8Array): void {
    const checksum = this.checksumOf(kind, bitmap);
    if (kind === 'block')
      this.#setShort(group, FIELD.blockBitmapChecksum, HIGH_FIELD.blockBitmapChecksum, checksum);
    else this.#setShort(group, FIELD.inodeBitmapChecksum, HIGH_FIELD.inodeBitmapChecksum, checksum);
  }

  /** The checksum of a bitmap, in as many bits as fit into a descriptor. */
  checksumOf(kind: BitmapKind, bitmap: Uint8Array): number {
    const { blocksPerGroup, clusterBlocks, inodesPerGroup, checksumSeed } = this.#superblock;
    const bits = kind === 'block' ? blocksPerGroup / clusterBlocks : inodesPerGroup;
    const checksum = crc32c(checksumSeed, bitmap, 0, Math.floor(bits / 8));
    return this.#wide ? checksum : checksum & 0xffff;
  }

  /** Counts blocks of a group, in clusters. */
  countBlocks(group: number, change: number): void {
    const counted = Math.max(0, Math.min(this.clustersIn(group), at(this.freeBlocks, group) + change));
    this.freeBlocksTotal += counted - at(this.freeBlocks, group);
    this.freeBlocks[group] = counted;
    this.dirty.add(group);
  }

  countInodes(group: number, change: number, directories: number): void {
    const counted = Math.max(
      0,
      Math.min(this.#superblock.inodesPerGroup, at(this.freeInodes, group) + change),
    );
    this.freeInodesTotal += counted - at(this.freeInodes, group);
    this.freeInodes[group] = counted;
    const most = this.#wide ? 0xffff_ffff : 0xffff;
    this.directories[group] = Math.max(0, Math.min(most, at(this.directories, group) + directories));
    this.dirty.add(group);
  }

  /** Notes that a group's inode number `index` of the table is in use, and those before it. */
  countUsedInodes(group: number, index: number): void {
    const unused = this.#superblock.inodesPerGroup - index - 1;
    if (at(this.unusedInodes, group) > unused) this.unusedInodes[group] = unused;
  }

  setFlags(group: number, flags: number): void {
    this.flags[group] = flags;
    this.dirty.add(group);
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

  clustersIn(group: number): number {
    return Math.ceil(this.blocksIn(group) / this.#superblock.clusterBlocks);
  }

  get #wide(): boolean {
    return this.#superblock.descriptorBytes >= WIDE_BYTES;
  }

  get #superblockBlock(): number {
    return Math.floor(SUPERBLOCK_OFFSET / this.#superblock.blockSizeBytes);
  }

  #offsetOf(group: number): number {
    return group * this.#superblock.descriptorBytes;
  }

  #long(group: number, field: number, high: number): number {
    const offset = this.#offsetOf(group);
    const upper = this.#wide ? this.#view.getUint32(offset + high, true) : 0;
    return this.#view.getUint32(offset + field, true) + upper * 2 ** 32;
  }

  #short(group: number, field: number, high: number): number {
    const offset = this.#offsetOf(group);
    const upper = this.#wide ? this.#view.getUint16(offset + high, true) : 0;
    return this.#view.getUint16(offset + field, true) + upper * 2 ** 16;
  }

  #setShort(group: number, field: number, high: number, value: number): void {
    const offset = this.#offsetOf(group);
    this.#view.setUint16(offset + field, value & 0xffff, true);
    if (this.#wide) this.#view.setUint16(offset + high, Math.floor(value / 2 ** 16), true);
  }

  #checkChecksum(group: number): void {
    const found = this.#view.getUint16(this.#offsetOf(group) + FIELD.checksum, true);
    const expected = this.#checksum(group);
    if (found === expected) return;
    const { formatName } = this.#superblock;
    throw new FsError(
      'Corrupt',
      `${formatName}: group ${group}: descriptor with checksum 0x${found.toString(16)}, not 0x${expected.toString(16)}`,
    );
  }

  #checksum(group: number): number {
    const start = this.#offsetOf(group);
    const end = start + this.#superblock.descriptorBytes;
    const field = start + FIELD.checksum;
    if (this.#superblock.allows(READ_ONLY_FEATURE.metadataChecksums)) {
      let state = crc32cOfLong(this.#superblock.checksumSeed, group);
      state = crc32cOfZeros(crc32c(state, this.#bytes, start, field), 2);
      return crc32c(state, this.#bytes, field + 2, end) & 0xffff;
    }
    const state = crc16OfLong(crc16(CRC_START, this.#superblock.uuid), group);
    return crc16(crc16(state, this.#bytes, start, field), this.#bytes, field + 2, end);
  }

  #addZones(): void {
    const { groupCount, descriptorBlocks, inodeTableBlocks, firstMetaGroup } = this.#superblock;
    for (let group = 0; group < groupCount; group += 1) {
      const first = group === 0 ? this.#superblockBlock : this.firstBlockOf(group);
      const copied = Math.min(descriptorBlocks, firstMetaGroup);
      if (this.#superblock.hasCopy(group)) this.zones.add(first, 1 + copied);
      this.zones.add(this.blockBitmap[group] ?? 0, 1);
      this.zones.add(this.inodeBitmap[group] ?? 0, 1);
      this.zones.add(this.inodeTable[group] ?? 0, inodeTableBlocks);
    }
    for (let index = Math.min(firstMetaGroup, descriptorBlocks); index < descriptorBlocks; index += 1) {
      this.#addMetaGroup(index);
    }
    this.zones.finish();
  }

  /** The descriptors of a meta group stand in its first, second and last group. */
  #addMetaGroup(index: number): void {
    const { groupCount, blockSizeBytes, descriptorBytes } = this.#superblock;
    const groups = blockSizeBytes / descriptorBytes;
    const first = index * groups;
    for (const group of [first, first + 1, first + groups - 1]) {
      if (group >= groupCount) continue;
      const start = group === 0 ? this.#superblockBlock : this.firstBlockOf(group);
      this.zones.add(start + (this.#superblock.hasCopy(group) ? 1 : 0), 1);
    }
  }

  #requireInside(group: number, what: string, block: number, count: number): void {
    const flexible = this.#superblock.has(INCOMPATIBLE_FEATURE.flexGroups);
    const first = flexible ? this.#superblock.firstDataBlock : this.firstBlockOf(group);
    const end = flexible ? this.#superblock.blocksCount : first + this.blocksIn(group);
    if (block >= Math.max(1, first) && block + count <= end) return;
    const { formatName } = this.#superblock;
    const border = flexible ? 'file system' : 'group';
    throw new FsError(
      'Corrupt',
      `${formatName}: group ${group}: ${what} at block ${block} lies outside the ${border}`,
    );
  }
}
