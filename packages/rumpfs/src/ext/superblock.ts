import { textOfBytes } from '@ginit/core/file_system';
import { CRC_START, crc32c } from '../checksum/crc.ts';
import { FsError } from '../errors.ts';
import { COMPATIBLE_FEATURE, formatNameOf, INCOMPATIBLE_FEATURE, READ_ONLY_FEATURE } from './features.ts';

/**
 * The superblock: 1024 bytes at byte 1024 of the device, little-endian, with copies at the start of
 * some block groups. It gives the sizes of everything else:
 *
 *     | boot | superblock | descriptors | block bitmap | inode bitmap | inode table | data … |  group 0
 *            | (copies) …               | block bitmap | inode bitmap | inode table | data … |  group 1 …
 *
 * With flex_bg the bitmaps and inode tables of several groups lie together in the first of them.
 * Revision 0 has no feature words and inodes of 128 bytes; revision 1 adds what follows byte 84.
 *
 * Source: "The Second Extended File System", nongnu.org/ext2-doc, and the kernel's documentation of
 * ext4's "Data Structures and Algorithms".
 */
export const SUPERBLOCK_OFFSET = 1024;
export const SUPERBLOCK_BYTES = 1024;
const MAGIC_EXPECTED = 0xef53;

export const STATE_FLAG = { valid: 1, errors: 2 } as const;
export const ROOT_INODE = 2;
const DESCRIPTOR_BYTES = 32;
const DESCRIPTOR_BYTES_64BIT = 64;
const CHECKSUM_TYPE_CRC32C = 1;
/** A device is addressed in bytes, by numbers that must be exact. */
const DEVICE_BYTES_MAX = Number.MAX_SAFE_INTEGER;

const FIELD = {
  inodesCount: 0,
  blocksCount: 4,
  freeBlocks: 12,
  freeInodes: 16,
  firstDataBlock: 20,
  logBlockSize: 24,
  logClusterSize: 28,
  blocksPerGroup: 32,
  clustersPerGroup: 36,
  inodesPerGroup: 40,
  mountTime: 44,
  writeTime: 48,
  mountCount: 52,
  magic: 56,
  state: 58,
  revision: 76,
  firstInode: 84,
  inodeSize: 88,
  compatible: 92,
  incompatible: 96,
  readOnlyCompatible: 100,
  uuid: 104,
  uuidBytes: 16,
  label: 120,
  labelBytes: 16,
  reservedDescriptorBlocks: 206,
  journalInode: 224,
  journalDevice: 228,
  lastOrphan: 232,
  hashSeed: 236,
  hashVersion: 252,
  descriptorSize: 254,
  firstMetaGroup: 260,
  blocksCountHigh: 336,
  freeBlocksHigh: 344,
  flags: 352,
  checksumType: 373,
  backupGroups: 588,
  checksumSeed: 624,
  checksum: 1020,
} as const;

const SPARSE_BASES = [3, 5, 7];
/** The flag that says that hash trees treat bytes of names as unsigned. */
const FLAG_UNSIGNED_HASH = 0x2;

/**
 * The superblock in memory. The `view` is what will be written back; the sizes never change while
 * mounted.
 */
export class Superblock {
  readonly view: DataView;
  /** Whether it has to be written: something was set, other than the totals. */
  changed = false;
  readonly revision: number;
  readonly blockSizeBytes: number;
  readonly blocksCount: number;
  readonly inodesCount: number;
  readonly firstDataBlock: number;
  readonly blocksPerGroup: number;
  readonly inodesPerGroup: number;
  readonly inodeSizeBytes: number;
  readonly firstInode: number;
  readonly groupCount: number;
  readonly descriptorBytes: number;
  readonly descriptorBlocks: number;
  readonly reservedDescriptorBlocks: number;
  readonly inodeTableBlocks: number;
  readonly compatible: number;
  /** The number of blocks for one bit of a block bitmap. */
  readonly clusterBlocks: number;
  readonly uuid: Uint8Array;
  /** `ext2`, `ext3` or `ext4`. */
  readonly formatName: string;
  /** Whether structures have checksums. */
  readonly checksums: boolean;
  /** The state with which all checksums but the superblock's begin. */
  readonly checksumSeed: number;

  /**
   * Throws `NoFileSystem` without the magic number. Its contents may be trusted only after `check`.
   */
  constructor(bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, SUPERBLOCK_BYTES);
    const magic = this.#short(FIELD.magic);
    if (magic !== MAGIC_EXPECTED) {
      throw new FsError(
        'NoFileSystem',
        `ext2: no superblock: magic number ${hex(magic)}, not ${hex(MAGIC_EXPECTED)}`,
      );
    }
    const logBlockSize = this.#long(FIELD.logBlockSize);
    if (logBlockSize > 6) throw absurd('block size 2 to the power of', logBlockSize + 10);
    this.revision = this.#long(FIELD.revision);
    this.compatible = this.revision === 0 ? 0 : this.#long(FIELD.compatible);
    this.formatName = formatNameOf(this.compatible, this.incompatible, this.readOnlyCompatible);
    const wide = this.has(INCOMPATIBLE_FEATURE.sixtyFourBit);
    this.blockSizeBytes = 1024 << logBlockSize;
    this.blocksCount =
      this.#long(FIELD.blocksCount) + (wide ? this.#long(FIELD.blocksCountHigh) : 0) * 2 ** 32;
    this.inodesCount = this.#long(FIELD.inodesCount);
    this.firstDataBlock = this.#long(FIELD.firstDataBlock);
    this.blocksPerGroup = this.#long(FIELD.blocksPerGroup);
    this.inodesPerGroup = this.#long(FIELD.inodesPerGroup);
    this.inodeSizeBytes = this.revision === 0 ? 128 : this.#short(FIELD.inodeSize);
    this.firstInode = this.revision === 0 ? 11 : this.#long(FIELD.firstInode);
    const bigAllocation = this.allows(READ_ONLY_FEATURE.bigAllocation);
    this.clusterBlocks = bigAllocation ? 2 ** (this.#long(FIELD.logClusterSize) - logBlockSize) : 1;
    this.descriptorBytes = wide ? this.#short(FIELD.descriptorSize) : DESCRIPTOR_BYTES;
    const inGroups = Math.max(0, this.blocksCount - this.firstDataBlock);
    this.groupCount = Math.ceil(inGroups / Math.max(1, this.blocksPerGroup));
    this.descriptorBlocks = Math.ceil((this.groupCount * this.descriptorBytes) / this.blockSizeBytes);
    const mayResize = (this.compatible & COMPATIBLE_FEATURE.resizeInode) !== 0;
    this.reservedDescriptorBlocks = mayResize ? this.#short(FIELD.reservedDescriptorBlocks) : 0;
    this.inodeTableBlocks = Math.ceil((this.inodesPerGroup * this.inodeSizeBytes) / this.blockSizeBytes);
    this.uuid = new Uint8Array(bytes.buffer, bytes.byteOffset + FIELD.uuid, FIELD.uuidBytes);
    this.checksums = this.allows(READ_ONLY_FEATURE.metadataChecksums);
    this.checksumSeed = this.has(INCOMPATIBLE_FEATURE.checksumSeed)
      ? this.#long(FIELD.checksumSeed)
      : crc32c(CRC_START, this.uuid);
  }

  /** The same superblock, with which no checksum is looked at. */
  withoutChecksums(): Superblock {
    const bytes = new Uint8Array(this.view.buffer, this.view.byteOffset, SUPERBLOCK_BYTES).slice();
    const copy = new Superblock(bytes);
    copy.readOnlyCompatible &= ~(READ_ONLY_FEATURE.metadataChecksums | READ_ONLY_FEATURE.groupChecksums);
    return new Superblock(bytes);
  }

  get incompatible(): number {
    return this.revision === 0 ? 0 : this.#long(FIELD.incompatible);
  }

  get readOnlyCompatible(): number {
    return this.revision === 0 ? 0 : this.#long(FIELD.readOnlyCompatible);
  }

  set readOnlyCompatible(bits: number) {
    this.changed ||= bits !== this.readOnlyCompatible;
    this.view.setUint32(FIELD.readOnlyCompatible, bits, true);
  }

  /** Whether it has an incompatible feature. */
  has(incompatible: number): boolean {
    return (this.incompatible & incompatible) !== 0;
  }

  /** Whether it has a read-only compatible feature. */
  allows(readOnlyCompatible: number): boolean {
    return (this.readOnlyCompatible & readOnlyCompatible) !== 0;
  }

  get hasJournal(): boolean {
    return (this.compatible & COMPATIBLE_FEATURE.hasJournal) !== 0;
  }

  /** The inode of the journal; 0 where the journal is on another device. */
  get journalInode(): number {
    return this.#long(FIELD.journalInode);
  }

  get indexesDirectories(): boolean {
    return (this.compatible & COMPATIBLE_FEATURE.directoryIndex) !== 0;
  }

  /** Whether group descriptors have checksums, and say which structures are uninitialised. */
  get describesUninitialised(): boolean {
    return this.checksums || this.allows(READ_ONLY_FEATURE.groupChecksums);
  }

  get needsRecovery(): boolean {
    return this.has(INCOMPATIBLE_FEATURE.recover);
  }

  set needsRecovery(needed: boolean) {
    this.changed = true;
    const others = this.incompatible & ~INCOMPATIBLE_FEATURE.recover;
    this.view.setUint32(FIELD.incompatible, needed ? others | INCOMPATIBLE_FEATURE.recover : others, true);
  }

  get label(): string {
    if (this.revision === 0) return '';
    const bytes = new Uint8Array(this.view.buffer, this.view.byteOffset + FIELD.label, FIELD.labelBytes);
    const end = bytes.indexOf(0);
    return textOfBytes(end < 0 ? bytes : bytes.subarray(0, end));
  }

  get state(): number {
    return this.#short(FIELD.state);
  }

  set state(flags: number) {
    this.changed ||= flags !== this.state;
    this.view.setUint16(FIELD.state, flags, true);
  }

  /**
   * The number of the newest orphan: a file that was still open when its last name went; 0 for
   * none.
   */
  get lastOrphan(): number {
    return this.revision === 0 ? 0 : this.#long(FIELD.lastOrphan);
  }

  set lastOrphan(id: number) {
    this.changed = true;
    if (this.revision !== 0) this.view.setUint32(FIELD.lastOrphan, id, true);
  }

  /** The four words that go into every hash of a name; all zero for the usual ones. */
  get hashSeed(): readonly number[] {
    return [0, 4, 8, 12].map((offset) => this.#long(FIELD.hashSeed + offset));
  }

  /** The number of the hash that new hash trees have. */
  get hashVersion(): number {
    return this.view.getUint8(FIELD.hashVersion);
  }

  get hashIsUnsigned(): boolean {
    return (this.#long(FIELD.flags) & FLAG_UNSIGNED_HASH) !== 0;
  }

  /** The first group of blocks of descriptors that is described where it lies (meta_bg). */
  get firstMetaGroup(): number {
    return this.has(INCOMPATIBLE_FEATURE.metaGroups) ? this.#long(FIELD.firstMetaGroup) : Infinity;
  }

  /**
   * Throws `Corrupt` where a size is absurd. Features that change the meaning of sizes must be
   * excluded before.
   */
  check(): void {
    // The counts in a group descriptor have 16 bits, unless the descriptor is a large one.
    const wide = this.descriptorBytes >= DESCRIPTOR_BYTES_64BIT;
    const bitsPerBlock = wide ? 8 * this.blockSizeBytes : Math.min(8 * this.blockSizeBytes, 65_528);
    const { inodesPerGroup, inodeSizeBytes, blocksPerGroup, clusterBlocks } = this;
    if (this.revision > 1) throw new FsError('NotSupported', `ext2: revision ${this.revision}`);
    this.#checkChecksum();
    if (this.firstDataBlock !== (this.blockSizeBytes === 1024 && clusterBlocks === 1 ? 1 : 0)) {
      throw absurd('first data block', this.firstDataBlock);
    }
    if (!isPowerOfTwo(clusterBlocks) || clusterBlocks < 1 || clusterBlocks > 2 ** 20)
      throw absurd('blocks of a cluster', clusterBlocks);
    const clusters = blocksPerGroup / clusterBlocks;
    if (clusters < 8 || clusters > bitsPerBlock || clusters % 8 !== 0)
      throw absurd('blocks per group', blocksPerGroup);
    if (clusterBlocks > 1 && clusters !== this.#long(FIELD.clustersPerGroup))
      throw absurd('clusters per group', this.#long(FIELD.clustersPerGroup));
    if (inodesPerGroup === 0 || inodesPerGroup > bitsPerBlock)
      throw absurd('inodes per group', inodesPerGroup);
    if (inodeSizeBytes < 128 || inodeSizeBytes > this.blockSizeBytes || !isPowerOfTwo(inodeSizeBytes)) {
      throw absurd('inode size', inodeSizeBytes);
    }
    this.#checkGroups();
  }

  #checkGroups(): void {
    const { descriptorBytes, blockSizeBytes, blocksCount, inodesCount } = this;
    const wide = this.has(INCOMPATIBLE_FEATURE.sixtyFourBit);
    const least = wide ? DESCRIPTOR_BYTES_64BIT : DESCRIPTOR_BYTES;
    if (descriptorBytes < least || descriptorBytes > blockSizeBytes || !isPowerOfTwo(descriptorBytes))
      throw absurd('size of a group descriptor', descriptorBytes);
    if (this.groupCount === 0 || blocksCount * blockSizeBytes > DEVICE_BYTES_MAX)
      throw absurd('number of blocks', blocksCount);
    if (inodesCount !== this.groupCount * this.inodesPerGroup) throw absurd('number of inodes', inodesCount);
    if (this.firstInode < 11 || this.firstInode > inodesCount) throw absurd('first inode', this.firstInode);
    const flexible = this.has(INCOMPATIBLE_FEATURE.flexGroups);
    const metaGroups = this.has(INCOMPATIBLE_FEATURE.metaGroups);
    const descriptors = metaGroups ? 1 : this.descriptorBlocks + this.reservedDescriptorBlocks;
    const overhead = 1 + descriptors + (flexible ? 0 : 2 + this.inodeTableBlocks);
    if (overhead > Math.min(this.blocksPerGroup, blocksCount)) {
      throw absurd('size of the structures of a group, in blocks:', overhead);
    }
  }

  #checkChecksum(): void {
    if (!this.checksums) return;
    const type = this.view.getUint8(FIELD.checksumType);
    if (type !== CHECKSUM_TYPE_CRC32C) throw new FsError('NotSupported', `ext4: checksums of type ${type}`);
    const found = this.#long(FIELD.checksum);
    const expected = this.#checksum();
    if (found !== expected) {
      throw new FsError(
        'Corrupt',
        `ext4: superblock: checksum 0x${found.toString(16)}, not 0x${expected.toString(16)}`,
      );
    }
  }

  /** Whether a group begins with the superblock or a copy of it, and the group descriptors. */
  hasCopy(group: number): boolean {
    if (group === 0) return true;
    if ((this.compatible & COMPATIBLE_FEATURE.sparseSuper2) !== 0) {
      return this.#long(FIELD.backupGroups) === group || this.#long(FIELD.backupGroups + 4) === group;
    }
    if (group === 1 || !this.allows(READ_ONLY_FEATURE.sparseSuper)) return true;
    return SPARSE_BASES.some((base) => isPowerOf(base, group));
  }

  countMount(nowMs: number): void {
    this.changed = true;
    this.view.setUint32(FIELD.mountTime, Math.floor(nowMs / 1000), true);
    this.view.setUint16(FIELD.mountCount, (this.#short(FIELD.mountCount) + 1) & 0xffff, true);
  }

  /** Sets the number of free blocks (in clusters) and inodes. */
  setTotals(freeClusters: number, freeInodes: number, nowMs: number): void {
    const freeBlocks = freeClusters * this.clusterBlocks;
    this.view.setUint32(FIELD.freeBlocks, freeBlocks % 2 ** 32, true);
    if (this.has(INCOMPATIBLE_FEATURE.sixtyFourBit))
      this.view.setUint32(FIELD.freeBlocksHigh, Math.floor(freeBlocks / 2 ** 32), true);
    this.view.setUint32(FIELD.freeInodes, freeInodes, true);
    this.view.setUint32(FIELD.writeTime, Math.floor(nowMs / 1000), true);
  }

  /** Brings the checksum up to date, before the superblock is written. */
  seal(): void {
    if (this.checksums) this.view.setUint32(FIELD.checksum, this.#checksum(), true);
  }

  #checksum(): number {
    const bytes = new Uint8Array(this.view.buffer, this.view.byteOffset, FIELD.checksum);
    return crc32c(CRC_START, bytes);
  }

  #long(offset: number): number {
    return this.view.getUint32(offset, true);
  }

  #short(offset: number): number {
    return this.view.getUint16(offset, true);
  }
}

function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(Math.log2(value));
}

function isPowerOf(base: number, value: number): boolean {
  let power = base;
  while (power < value) power *= base;
  return power === value;
}

function absurd(what: string, value: number): FsError {
  return new FsError('Corrupt', `ext2: superblock: ${what} ${value} makes no sense`);
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(4, '0')}`;
}
