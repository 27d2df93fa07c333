import { CRC_START, crc32c } from '../checksum/crc.ts';
import { FsError } from '../errors.ts';

/**
 * The journal of ext3 and ext4 (JBD2): a ring of blocks, big-endian, the first of which is this
 * superblock.
 *
 *     0 magic · 4 type (3 or 4) · 12 block size · 16 blocks · 20 first block of the ring
 *     24 number of the first transaction · 28 block where it begins (0: the ring is empty)
 *     36 compatible, 40 incompatible, 44 read-only compatible features · 48 uuid
 *     80 type of checksums · 84 blocks for fast commits · 252 checksum
 *
 * Every other block of its own begins with the magic number, a type and the transaction's number.
 * A transaction is a sequence of descriptor blocks, each followed by the blocks that its tags
 * describe, of revocation blocks, and of a commit block.
 *
 * Source: the kernel's documentation of ext4's "Journal (jbd2)".
 */
export const JOURNAL_MAGIC = 0xc03b_3998;
export const BLOCK_TYPE = {
  descriptor: 1,
  commit: 2,
  superblock1: 3,
  superblock2: 4,
  revocation: 5,
} as const;
export const HEADER_BYTES = 12;

export const TAG_FLAG = { escaped: 1, sameUuid: 2, last: 8 } as const;
export const UUID_BYTES = 16;
/** The checksum at the end of descriptor and revocation blocks. */
export const TAIL_BYTES = 4;
/** Where the checksum stands in a commit block. */
export const COMMIT_CHECKSUM_OFFSET = 16;

const COMPATIBLE_CHECKSUM = 0x1;
const INCOMPATIBLE = {
  revocation: 0x1,
  sixtyFourBit: 0x2,
  asynchronousCommit: 0x4,
  checksums2: 0x8,
  checksums3: 0x10,
  fastCommit: 0x20,
} as const;
const INCOMPATIBLE_NAMES = ['', '64bit', 'async_commit', 'csum_v2', 'csum_v3', 'fast_commit'];
const INCOMPATIBLE_KNOWN = 0x3f;
const SUPERBLOCK_BYTES = 1024;
const CHECKSUM_TYPE_CRC32C = 4;
const FAST_COMMIT_BLOCKS_DEFAULT = 256;
/** The kernel makes no smaller journal. */
const BLOCKS_MIN = 64;

const FIELD = {
  magic: 0,
  type: 4,
  blockSize: 12,
  blocks: 16,
  first: 20,
  sequence: 24,
  start: 28,
  compatible: 36,
  incompatible: 40,
  uuid: 48,
  checksumType: 80,
  fastCommitBlocks: 84,
  checksum: 252,
} as const;

/** The features that a journal gets when it is written. */
export interface WantedFeatures {
  readonly sixtyFourBit: boolean;
  readonly checksums: boolean;
}

/** The superblock of a journal in memory. */
export class JournalSuperblock {
  readonly view: DataView;
  readonly #bytes: Uint8Array;

  /** Throws `Corrupt` or `NotSupported` for a journal that cannot be used. */
  constructor(bytes: Uint8Array, blockSizeBytes: number, blocksMax: number) {
    this.#bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, SUPERBLOCK_BYTES);
    const type = this.#long(FIELD.type);
    const isSuperblock = type === BLOCK_TYPE.superblock1 || type === BLOCK_TYPE.superblock2;
    if (this.#long(FIELD.magic) !== JOURNAL_MAGIC || !isSuperblock) throw wrong('has no superblock');
    if (this.#long(FIELD.blockSize) !== blockSizeBytes)
      throw wrong(`has blocks of ${this.#long(FIELD.blockSize)} bytes`);
    const unknown = this.incompatible & ~INCOMPATIBLE_KNOWN;
    if (unknown !== 0) {
      throw new FsError('NotSupported', `journal: incompatible feature 0x${unknown.toString(16)}`);
    }
    if (this.checksummed) {
      const expected = this.#checksum();
      if (this.#long(FIELD.checksum) !== expected) throw wrong('superblock has a wrong checksum');
    }
    if (this.blocks > blocksMax || this.end - this.first < BLOCKS_MIN || this.first < 1)
      throw wrong(`has blocks ${this.first} to ${this.end}, but is a file of ${blocksMax} blocks`);
    if (this.start !== 0 && (this.start < this.first || this.start >= this.end))
      throw wrong(`begins at block ${this.start}, outside of ${this.first} to ${this.end}`);
  }

  get compatible(): number {
    return this.#long(FIELD.type) === BLOCK_TYPE.superblock1 ? 0 : this.#long(FIELD.compatible);
  }

  get incompatible(): number {
    return this.#long(FIELD.type) === BLOCK_TYPE.superblock1 ? 0 : this.#long(FIELD.incompatible);
  }

  /** The names of the features, for a log. */
  get featureNames(): string {
    return INCOMPATIBLE_NAMES.filter(
      (name, bit) => name !== '' && (this.incompatible & (1 << bit)) !== 0,
    ).join(', ');
  }

  get blocks(): number {
    return this.#long(FIELD.blocks);
  }

  /** The first block of the ring. */
  get first(): number {
    return this.#long(FIELD.first);
  }

  /** The block behind the ring. */
  get end(): number {
    if ((this.incompatible & INCOMPATIBLE.fastCommit) === 0) return this.blocks;
    return this.blocks - (this.#long(FIELD.fastCommitBlocks) || FAST_COMMIT_BLOCKS_DEFAULT);
  }

  get hasFastCommits(): boolean {
    return (this.incompatible & INCOMPATIBLE.fastCommit) !== 0;
  }

  get sequence(): number {
    return this.#long(FIELD.sequence);
  }

  set sequence(value: number) {
    this.view.setUint32(FIELD.sequence, value >>> 0);
  }

  /** The block where the first transaction begins; 0 where nothing has to be replayed. */
  get start(): number {
    return this.#long(FIELD.start);
  }

  set start(block: number) {
    this.view.setUint32(FIELD.start, block);
  }

  get wide(): boolean {
    return (this.incompatible & INCOMPATIBLE.sixtyFourBit) !== 0;
  }

  /** Whether tags have checksums of 32 bits. */
  get checksums3(): boolean {
    return (this.incompatible & INCOMPATIBLE.checksums3) !== 0;
  }

  /** Whether every block of the journal has a checksum. */
  get checksummed(): boolean {
    return (this.incompatible & (INCOMPATIBLE.checksums2 | INCOMPATIBLE.checksums3)) !== 0;
  }

  /** Whether commit blocks have a checksum over the transaction. */
  get commitsChecksummed(): boolean {
    return (this.compatible & COMPATIBLE_CHECKSUM) !== 0;
  }

  /** The state with which checksums begin. */
  get checksumSeed(): number {
    return crc32c(CRC_START, this.uuid);
  }

  get uuid(): Uint8Array {
    return this.#bytes.subarray(FIELD.uuid, FIELD.uuid + UUID_BYTES);
  }

  /** The bytes of a tag, without a uuid behind it. */
  get tagBytes(): number {
    if (this.checksums3) return 16;
    const withChecksum = this.checksummed ? 2 : 0;
    return 8 + withChecksum + (this.wide ? 4 : 0);
  }

  /** The bytes at the end of a descriptor or revocation block that belong to its checksum. */
  get tailBytes(): number {
    return this.checksummed ? TAIL_BYTES : 0;
  }

  /** Gives an empty journal the features that it is written with. */
  adopt({ sixtyFourBit, checksums }: WantedFeatures): void {
    const kept = this.incompatible & INCOMPATIBLE.fastCommit;
    const own =
      INCOMPATIBLE.revocation |
      (sixtyFourBit ? INCOMPATIBLE.sixtyFourBit : 0) |
      (checksums ? INCOMPATIBLE.checksums3 : 0);
    this.view.setUint32(FIELD.type, BLOCK_TYPE.superblock2);
    this.view.setUint32(FIELD.compatible, this.compatible & ~COMPATIBLE_CHECKSUM);
    this.view.setUint32(FIELD.incompatible, kept | own);
    if (checksums) this.view.setUint8(FIELD.checksumType, CHECKSUM_TYPE_CRC32C);
  }

  /** The block that holds the superblock, ready to be written. */
  sealed(): Uint8Array {
    if (this.checksummed) this.view.setUint32(FIELD.checksum, this.#checksum());
    return this.#bytes;
  }

  #checksum(): number {
    const bytes = this.#bytes.slice(0, SUPERBLOCK_BYTES);
    bytes.fill(0, FIELD.checksum, FIELD.checksum + 4);
    return crc32c(CRC_START, bytes);
  }

  #long(offset: number): number {
    return this.view.getUint32(offset);
  }
}

export function wrong(what: string): FsError {
  return new FsError('Corrupt', `journal: ${what}`);
}

/** The checksum of a block of the journal, in which its own field at `offset` counts as 0. */
export function blockChecksum(seed: number, bytes: Uint8Array, offset: number): number {
  const state = crc32c(crc32c(seed, bytes, 0, offset), ZEROS, 0, 4);
  return crc32c(state, bytes, offset + 4);
}

const ZEROS = new Uint8Array(4);
