/**
 * The superblock of ext, at byte 1024 of the device, and what follows from it: where the groups and
 * their copies of the superblock are. Read here once more, for the checker alone, from the same
 * published description ("The Second Extended File System" and the kernel's "Data Structures and
 * Algorithms" of ext4).
 */
import { FsError } from '../../errors.ts';
import { castagnoli, castagnoliOf } from '../crc.ts';

export const SUPERBLOCK_BYTES = 1024;
const MAGIC = 0xef53;

export const COMPATIBLE = {
  journal: 0x4,
  resizeInode: 0x10,
  directoryIndex: 0x20,
  sparse2: 0x200,
  orphanFile: 0x1000,
};
export const INCOMPATIBLE = {
  fileType: 0x2,
  recover: 0x4,
  metaGroups: 0x10,
  extents: 0x40,
  wide: 0x80,
  multipleMount: 0x100,
  flexGroups: 0x200,
  attributeInodes: 0x400,
  seed: 0x2000,
  largeDirectory: 0x4000,
  inlineData: 0x8000,
  encrypt: 0x1_0000,
  casefold: 0x2_0000,
};
export const READ_ONLY = {
  sparse: 0x1,
  largeFile: 0x2,
  hugeFile: 0x8,
  groupChecksums: 0x10,
  directoryLinks: 0x20,
  quota: 0x100,
  bigAllocation: 0x200,
  checksums: 0x400,
  project: 0x2000,
  verity: 0x8000,
  orphanPresent: 0x1_0000,
};
const INCOMPATIBLE_KNOWN = Object.values(INCOMPATIBLE).reduce((all, bit) => all | bit, 0);
/**
 * The features of ext2 and ext3, the last of which has directories as B-trees, which nobody made.
 */
const INCOMPATIBLE_OLD = INCOMPATIBLE.fileType | INCOMPATIBLE.recover | INCOMPATIBLE.metaGroups;
const READ_ONLY_OLD = READ_ONLY.sparse | READ_ONLY.largeFile | 0x4;
const READ_ONLY_KNOWN = Object.values(READ_ONLY).reduce((all, bit) => all | bit, 0x4 | 0x40 | 0x1000);

/** What a checker needs to know of the superblock. */
export class Geometry {
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly blockBytes: number;
  readonly blocks: number;
  readonly inodes: number;
  readonly firstBlock: number;
  readonly blocksPerGroup: number;
  readonly inodesPerGroup: number;
  readonly inodeBytes: number;
  readonly firstInode: number;
  readonly groups: number;
  readonly descriptorBytes: number;
  readonly descriptorBlocks: number;
  readonly compatible: number;
  readonly incompatible: number;
  readonly readOnly: number;
  /** Blocks for one bit of a block bitmap. */
  readonly ratio: number;
  readonly checksums: boolean;
  readonly seed: number;

  /** Throws `NoFileSystem`, `NotSupported` or `Corrupt`. */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, SUPERBLOCK_BYTES);
    if (this.short(56) !== MAGIC) throw new FsError('NoFileSystem', 'check: no superblock of ext');
    const revised = this.long(76) > 0;
    this.compatible = revised ? this.long(92) : 0;
    this.incompatible = revised ? this.long(96) : 0;
    this.readOnly = revised ? this.long(100) : 0;
    this.#requireKnown();
    const logBlock = this.long(24);
    const logCluster = this.has('bigAllocation') ? this.long(28) : logBlock;
    if (logBlock > 6) throw corrupt(`block size 2^${logBlock + 10}`);
    if (logCluster < logBlock || logCluster > 20) throw corrupt(`cluster size 2^${logCluster + 10}`);
    this.blockBytes = 1024 * 2 ** logBlock;
    this.ratio = 2 ** (logCluster - logBlock);
    const wide = (this.incompatible & INCOMPATIBLE.wide) !== 0;
    this.blocks = this.long(4) + (wide ? this.long(336) * 2 ** 32 : 0);
    this.inodes = this.long(0);
    this.firstBlock = this.long(20);
    this.blocksPerGroup = this.long(32);
    this.inodesPerGroup = this.long(40);
    this.inodeBytes = revised ? this.short(88) : 128;
    this.firstInode = revised ? this.long(84) : 11;
    this.descriptorBytes = wide ? this.short(254) : 32;
    this.groups = Math.ceil((this.blocks - this.firstBlock) / Math.max(1, this.blocksPerGroup));
    this.descriptorBlocks = Math.ceil((this.groups * this.descriptorBytes) / this.blockBytes);
    this.checksums = this.has('checksums');
    const uuid = bytes.subarray(104, 120);
    this.seed =
      (this.incompatible & INCOMPATIBLE.seed) !== 0 ? this.long(624) : castagnoli(0xffff_ffff, uuid);
    this.#requireSizes();
  }

  /** The kind, as people and configs call it: that with what ext2 and ext3 do not have is ext4. */
  get kindName(): 'ext2' | 'ext3' | 'ext4' {
    if ((this.incompatible & ~INCOMPATIBLE_OLD) !== 0 || (this.readOnly & ~READ_ONLY_OLD) !== 0)
      return 'ext4';
    return (this.compatible & COMPATIBLE.journal) === 0 ? 'ext2' : 'ext3';
  }

  long(offset: number): number {
    return this.view.getUint32(offset, true);
  }

  short(offset: number): number {
    return this.view.getUint16(offset, true);
  }

  /** Whether a read-only compatible feature is there. */
  has(feature: keyof typeof READ_ONLY): boolean {
    return (this.readOnly & READ_ONLY[feature]) !== 0;
  }

  /** Whether an incompatible feature is there. */
  needs(feature: keyof typeof INCOMPATIBLE): boolean {
    return (this.incompatible & INCOMPATIBLE[feature]) !== 0;
  }

  /** Whether a compatible feature is there. */
  knows(feature: keyof typeof COMPATIBLE): boolean {
    return (this.compatible & COMPATIBLE[feature]) !== 0;
  }

  /** Whether descriptors have checksums and say what was never initialised. */
  get describesUnused(): boolean {
    return this.checksums || this.has('groupChecksums');
  }

  /** The clusters of a whole group. */
  get clustersPerGroup(): number {
    return this.blocksPerGroup / this.ratio;
  }

  get tableBlocks(): number {
    return Math.ceil((this.inodesPerGroup * this.inodeBytes) / this.blockBytes);
  }

  /** The first block of a group in the sense of its bitmap. */
  groupStart(group: number): number {
    return this.firstBlock + group * this.blocksPerGroup;
  }

  groupBlocks(group: number): number {
    return Math.min(this.blocksPerGroup, this.blocks - this.groupStart(group));
  }

  groupClusters(group: number): number {
    return Math.ceil(this.groupBlocks(group) / this.ratio);
  }

  clusterOf(block: number): number {
    return Math.floor((block - this.firstBlock) / this.ratio);
  }

  /** The blocks that files may have lie from the first on and before the end. */
  inside(first: number, count: number): boolean {
    return first >= Math.max(1, this.firstBlock) && first + count <= this.blocks;
  }

  /** Whether a group begins with a copy of the superblock. */
  hasCopy(group: number): boolean {
    if (group === 0) return true;
    if (this.knows('sparse2')) return group === this.long(588) || group === this.long(592);
    if (group === 1 || !this.has('sparse')) return true;
    return [3, 5, 7].some((base) => {
      let power = base;
      while (power < group) power *= base;
      return power === group;
    });
  }

  /** The block of the superblock, or of the copy, in a group. */
  copyBlock(group: number): number {
    const start = this.groupStart(group);
    // A superblock at byte 1024 is the second block, where blocks have that size.
    return start === 0 && this.blockBytes === 1024 ? 1 : start;
  }

  /** The number of descriptor blocks behind each copy; with meta_bg the others stand elsewhere. */
  get oldDescriptorBlocks(): number {
    return this.needs('metaGroups') ? Math.min(this.long(260), this.descriptorBlocks) : this.descriptorBlocks;
  }

  /** The blocks behind those that are kept for more descriptors. */
  get reservedBlocks(): number {
    return this.needs('metaGroups') || !this.knows('resizeInode') ? 0 : this.short(206);
  }

  /** The place of block number `index` of the descriptors. */
  descriptorBlock(index: number): number {
    if (index < this.oldDescriptorBlocks) return this.copyBlock(0) + 1 + index;
    const group = index * (this.blockBytes / this.descriptorBytes);
    return this.copyBlock(group) + (this.hasCopy(group) ? 1 : 0);
  }

  /** The state with which the checksums of an inode's structures begin. */
  inodeSeed(id: number, generation: number): number {
    return castagnoliOf(castagnoliOf(this.seed, id), generation);
  }

  #requireKnown(): void {
    const incompatible = this.incompatible & ~INCOMPATIBLE_KNOWN;
    const readOnly = this.readOnly & ~READ_ONLY_KNOWN;
    if (incompatible === 0 && readOnly === 0) return;
    const [kind, bits] =
      incompatible === 0 ? ['read-only compatible', readOnly] : ['incompatible', incompatible];
    const text = `0x${(bits >>> 0).toString(16)}`;
    throw new FsError('NotSupported', `check: unknown ${kind} features ${text} of ext`);
  }

  #requireSizes(): void {
    const { blockBytes, inodeBytes, inodesPerGroup, blocksPerGroup, descriptorBytes, ratio } = this;
    const bits = 8 * blockBytes;
    const power = (value: number): boolean => value > 0 && Number.isInteger(Math.log2(value));
    if (this.long(76) > 1) throw corrupt(`revision ${this.long(76)}`);
    if (!power(inodeBytes) || inodeBytes < 128 || inodeBytes > blockBytes)
      throw corrupt(`inodes of ${inodeBytes} bytes`);
    if (!power(descriptorBytes) || descriptorBytes < 32 || descriptorBytes > 1024)
      throw corrupt(`descriptors of ${descriptorBytes} bytes`);
    if (this.needs('wide') && descriptorBytes < 64) throw corrupt(`descriptors of ${descriptorBytes} bytes`);
    const clusters = blocksPerGroup / ratio;
    if (clusters < 8 || clusters > bits || clusters % 8 !== 0 || !Number.isInteger(clusters))
      throw corrupt(`${blocksPerGroup} blocks in a group`);
    if (inodesPerGroup < 8 || inodesPerGroup > bits || inodesPerGroup % 8 !== 0)
      throw corrupt(`${inodesPerGroup} inodes in a group`);
    const first = blockBytes === 1024 && ratio === 1 ? 1 : 0;
    if (this.firstBlock !== first && !(blockBytes === 1024 && this.firstBlock < 2))
      throw corrupt(`first data block ${this.firstBlock}`);
    if (this.blocks <= this.firstBlock + 4) throw corrupt(`${this.blocks} blocks`);
    if (this.inodes !== this.groups * inodesPerGroup)
      throw corrupt(`${this.inodes} inodes, but ${this.groups} groups of ${inodesPerGroup}`);
    if (this.firstInode < 11 || this.firstInode > this.inodes)
      throw corrupt(`first inode ${this.firstInode}`);
    if (this.short(206) > blockBytes / 4) throw corrupt(`${this.short(206)} reserved descriptor blocks`);
    if (this.needs('metaGroups') && this.long(260) > this.descriptorBlocks)
      throw corrupt(`first meta group ${this.long(260)}`);
  }
}

function corrupt(what: string): FsError {
  return new FsError('Corrupt', `check: superblock: ${what}`);
}
