/**
 * The checksums of a new ext4 (metadata_csum): CRC-32C, which begins with the UUID of the file
 * system for everything but the superblock. See "ext4 Data Structures and Algorithms" in the
 * kernel's documentation.
 */
import { CRC_START, crc32c, crc32cOfLong } from '../checksum/crc.ts';

const INODE_CHECKSUM_AT = { low: 124, high: 130 } as const;
const EXTRA_AT = 128;
const SUPERBLOCK_CHECKSUM_AT = 1020;
const DESCRIPTOR = { blockLow: 24, inodeLow: 26, own: 30, blockHigh: 56, inodeHigh: 58 } as const;
/** The entry at the end of a directory block that holds its checksum. */
export const TAIL_BYTES = 12;
const TAIL_TYPE = 0xde;

/** The checksums of one file system. */
export class ExtChecksums {
  readonly #seed: number;

  constructor(uuid: Uint8Array) {
    this.#seed = crc32c(CRC_START, uuid);
  }

  superblock(view: DataView): void {
    const bytes = new Uint8Array(view.buffer, view.byteOffset, SUPERBLOCK_CHECKSUM_AT);
    view.setUint32(SUPERBLOCK_CHECKSUM_AT, crc32c(CRC_START, bytes), true);
  }

  /** Those of a group's bitmaps, in its descriptor; none of one that is not initialised. */
  bitmaps(descriptor: DataView, of: Readonly<Record<'blocks' | 'inodes', Uint8Array | undefined>>): void {
    if (of.blocks !== undefined) {
      const crc = crc32c(this.#seed, of.blocks);
      descriptor.setUint16(DESCRIPTOR.blockLow, crc & 0xffff, true);
      descriptor.setUint16(DESCRIPTOR.blockHigh, crc >>> 16, true);
    }
    if (of.inodes !== undefined) {
      const crc = crc32c(this.#seed, of.inodes);
      descriptor.setUint16(DESCRIPTOR.inodeLow, crc & 0xffff, true);
      descriptor.setUint16(DESCRIPTOR.inodeHigh, crc >>> 16, true);
    }
  }

  descriptor(view: DataView, group: number): void {
    view.setUint16(DESCRIPTOR.own, 0, true);
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    view.setUint16(DESCRIPTOR.own, crc32c(crc32cOfLong(this.#seed, group), bytes) & 0xffff, true);
  }

  /** That of a whole inode, whose number of generation is 0. */
  inode(view: DataView, number: number): void {
    const long = view.byteLength > EXTRA_AT;
    const crc = crc32c(this.#ofOwner(number), new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
    view.setUint16(INODE_CHECKSUM_AT.low, crc & 0xffff, true);
    if (long) view.setUint16(INODE_CHECKSUM_AT.high, crc >>> 16, true);
  }

  /** The last entry of a block of a directory. */
  directoryTail(block: DataView, inode: number): void {
    const at = block.byteLength - TAIL_BYTES;
    const bytes = new Uint8Array(block.buffer, block.byteOffset, at);
    block.setUint16(at + 4, TAIL_BYTES, true);
    block.setUint8(at + 7, TAIL_TYPE);
    block.setUint32(at + 8, crc32c(this.#ofOwner(inode), bytes), true);
  }

  /** A block of extents, whose checksum stands behind the entries that it has room for. */
  extentTail(block: DataView, inode: number, at: number): void {
    const bytes = new Uint8Array(block.buffer, block.byteOffset, at);
    block.setUint32(at, crc32c(this.#ofOwner(inode), bytes), true);
  }

  #ofOwner(inode: number): number {
    return crc32cOfLong(crc32cOfLong(this.#seed, inode), 0);
  }
}
