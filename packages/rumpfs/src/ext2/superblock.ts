import { textOfBytes } from '@ginit/core/file_system';
import { FsError } from '../errors.ts';

/**
 * The superblock: 1024 bytes at byte 1024 of the device, little-endian, with copies at the start of
 * some block groups. It gives the sizes of everything else:
 *
 *     | boot | superblock | descriptors | block bitmap | inode bitmap | inode table | data … |  group 0
 *            | (copies) …               | block bitmap | inode bitmap | inode table | data … |  group 1 …
 *
 * Revision 0 has no feature words and inodes of 128 bytes; revision 1 adds what follows byte 84.
 *
 * Source: "The Second Extended File System", nongnu.org/ext2-doc, and the ext4 wiki's "Disk
 * Layout".
 */
export const SUPERBLOCK_OFFSET = 1024;
export const SUPERBLOCK_BYTES = 1024;
const MAGIC_EXPECTED = 0xef53;

export const STATE_FLAG = { valid: 1, errors: 2 } as const;
export const DESCRIPTOR_BYTES = 32;
export const ROOT_INODE = 2;

const FIELD = {
  inodesCount: 0,
  blocksCount: 4,
  freeBlocks: 12,
  freeInodes: 16,
  firstDataBlock: 20,
  logBlockSize: 24,
  blocksPerGroup: 32,
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
  label: 120,
  labelBytes: 16,
  reservedDescriptorBlocks: 206,
  lastOrphan: 232,
  backupGroups: 588,
} as const;

/** The resize inode's feature bit: `reservedDescriptorBlocks` counts only with it. */
const COMPATIBLE_RESIZE_INODE = 0x10;
/**
 * The feature bit for copies of the superblock in two groups at most, which the superblock names.
 */
const COMPATIBLE_SPARSE_SUPER2 = 0x200;
/**
 * The feature bit for copies of the superblock in group 0, group 1 and the powers of `SPARSE_BASES`
 * only.
 */
const READ_ONLY_SPARSE_SUPER = 0x1;
const SPARSE_BASES = [3, 5, 7];

/**
 * The superblock in memory. The `view` is what will be written back; the sizes never change while
 * mounted.
 */
export class Superblock {
  readonly view: DataView;
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
  readonly descriptorBlocks: number;
  readonly reservedDescriptorBlocks: number;
  readonly inodeTableBlocks: number;
  readonly incompatible: number;

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
    this.blockSizeBytes = 1024 << logBlockSize;
    this.blocksCount = this.#long(FIELD.blocksCount);
    this.inodesCount = this.#long(FIELD.inodesCount);
    this.firstDataBlock = this.#long(FIELD.firstDataBlock);
    this.blocksPerGroup = this.#long(FIELD.blocksPerGroup);
    this.inodesPerGroup = this.#long(FIELD.inodesPerGroup);
    this.inodeSizeBytes = this.revision === 0 ? 128 : this.#short(FIELD.inodeSize);
    this.firstInode = this.revision === 0 ? 11 : this.#long(FIELD.firstInode);
    this.incompatible = this.revision === 0 ? 0 : this.#long(FIELD.incompatible);
    const inGroups = Math.max(0, this.blocksCount - this.firstDataBlock);
    this.groupCount = Math.ceil(inGroups / Math.max(1, this.blocksPerGroup));
    this.descriptorBlocks = Math.ceil((this.groupCount * DESCRIPTOR_BYTES) / this.blockSizeBytes);
    const mayResize = (this.#compatible & COMPATIBLE_RESIZE_INODE) !== 0;
    this.reservedDescriptorBlocks = mayResize ? this.#short(FIELD.reservedDescriptorBlocks) : 0;
    this.inodeTableBlocks = Math.ceil((this.inodesPerGroup * this.inodeSizeBytes) / this.blockSizeBytes);
  }

  /** Known only after `requireKnownFeatures`, since it may change when a file grows large. */
  get readOnlyCompatible(): number {
    return this.revision === 0 ? 0 : this.#long(FIELD.readOnlyCompatible);
  }

  set readOnlyCompatible(bits: number) {
    this.view.setUint32(FIELD.readOnlyCompatible, bits, true);
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
    if (this.revision !== 0) this.view.setUint32(FIELD.lastOrphan, id, true);
  }

  /**
   * Throws `Corrupt` where a size is absurd. Features that change the meaning of sizes must be
   * excluded before.
   */
  check(): void {
    // The counts in a group descriptor have 16 bits.
    const bitsPerBlock = Math.min(8 * this.blockSizeBytes, 65_528);
    const { inodesPerGroup, inodeSizeBytes, blocksPerGroup } = this;
    if (this.revision > 1) throw new FsError('NotSupported', `ext2: revision ${this.revision}`);
    if (this.firstDataBlock !== (this.blockSizeBytes === 1024 ? 1 : 0)) {
      throw absurd('first data block', this.firstDataBlock);
    }
    if (blocksPerGroup < 8 || blocksPerGroup > bitsPerBlock || blocksPerGroup % 8 !== 0) {
      throw absurd('blocks per group', blocksPerGroup);
    }
    if (inodesPerGroup === 0 || inodesPerGroup > bitsPerBlock)
      throw absurd('inodes per group', inodesPerGroup);
    const powerOfTwo = (inodeSizeBytes & (inodeSizeBytes - 1)) === 0;
    if (inodeSizeBytes < 128 || inodeSizeBytes > this.blockSizeBytes || !powerOfTwo) {
      throw absurd('inode size', inodeSizeBytes);
    }
    if (this.groupCount === 0) throw absurd('number of blocks', this.blocksCount);
    if (this.inodesCount !== this.groupCount * inodesPerGroup) {
      throw absurd('number of inodes', this.inodesCount);
    }
    if (this.firstInode < 11 || this.firstInode > this.inodesCount)
      throw absurd('first inode', this.firstInode);
    const overhead = 1 + this.descriptorBlocks + this.reservedDescriptorBlocks + 2 + this.inodeTableBlocks;
    if (overhead > Math.min(blocksPerGroup, this.blocksCount)) {
      throw absurd('size of the structures of a group, in blocks:', overhead);
    }
  }

  /** Whether a group begins with the superblock or a copy of it, and the group descriptors. */
  hasCopy(group: number): boolean {
    if (group === 0) return true;
    if ((this.#compatible & COMPATIBLE_SPARSE_SUPER2) !== 0) {
      return this.#long(FIELD.backupGroups) === group || this.#long(FIELD.backupGroups + 4) === group;
    }
    if (group === 1 || (this.readOnlyCompatible & READ_ONLY_SPARSE_SUPER) === 0) return true;
    return SPARSE_BASES.some((base) => isPowerOf(base, group));
  }

  countMount(nowMs: number): void {
    this.view.setUint32(FIELD.mountTime, Math.floor(nowMs / 1000), true);
    this.view.setUint16(FIELD.mountCount, (this.#short(FIELD.mountCount) + 1) & 0xffff, true);
  }

  setTotals(freeBlocks: number, freeInodes: number, nowMs: number): void {
    this.view.setUint32(FIELD.freeBlocks, freeBlocks, true);
    this.view.setUint32(FIELD.freeInodes, freeInodes, true);
    this.view.setUint32(FIELD.writeTime, Math.floor(nowMs / 1000), true);
  }

  get #compatible(): number {
    return this.revision === 0 ? 0 : this.#long(FIELD.compatible);
  }

  #long(offset: number): number {
    return this.view.getUint32(offset, true);
  }

  #short(offset: number): number {
    return this.view.getUint16(offset, true);
  }
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
