/**
 * Makes an ext2 of revision 1 with the features that mke2fs gives one: ext_attr, resize_inode,
 * dir_index, filetype, sparse_super, large_file. Each group has, where it has copies, the
 * superblock, the descriptors and blocks reserved for more of them; then the bitmaps, the table of
 * inodes, and the data. The structures are those that `ext/` describes; nothing of that is used
 * here, so that one does not repeat a mistake of the other.
 */
import { bytesOfText } from '@ginit/core/file_system';
import { FsError } from '../errors.ts';
import {
  copiesBlocks,
  DESCRIPTOR_BYTES,
  type ExtGeometry,
  extGeometry,
  type ExtWishes,
  groupOverhead,
  hasCopies,
} from './ext-geometry.ts';
import { type FormatDevice, type FormatWorld, FormatWriter } from './format-device.ts';
import { directoryBlocks, FIRST_INODE, firstInodes, LOST_INODE, type Placed } from './ext-first-files.ts';

/** The wishes for an ext2. */
export interface ExtOptions extends ExtWishes {
  /** At most 16 bytes. */
  readonly label?: string | undefined;
}

const LABEL_BYTES = 16;
const RESERVED_SHARE = 0.05;
const SUPERBLOCK_BYTES = 1024;
const MAGIC = 0xef53;
const FEATURES = { compatible: 0x38, incompatible: 0x2, readOnlyCompatible: 0x3 } as const;
/** The root directory, `lost+found`. */
const DIRECTORIES = 2;

/** Makes the file system. Rejects with `FsError`. */
export async function makeExt(device: FormatDevice, options: ExtOptions, world: FormatWorld): Promise<void> {
  const writer = new FormatWriter(device);
  const label = labelBytes(options.label);
  await new ExtMaker(writer, extGeometry(writer.sizeBytes, options), label, world).make();
}

function labelBytes(label = ''): Uint8Array {
  const bytes = bytesOfText(label);
  if (bytes && bytes.length <= LABEL_BYTES) return bytes;
  throw new FsError('InvalidArgument', `"${label}" is no label of ext2: at most 16 bytes`);
}

class ExtMaker {
  readonly #writer: FormatWriter;
  readonly #geometry: ExtGeometry;
  readonly #label: Uint8Array;
  readonly #world: FormatWorld;
  readonly #placed: Placed;
  readonly #descriptors: Uint8Array;
  #freeBlocks = 0;

  constructor(writer: FormatWriter, geometry: ExtGeometry, label: Uint8Array, world: FormatWorld) {
    this.#writer = writer;
    this.#geometry = geometry;
    this.#label = label;
    this.#world = world;
    const { blockBytes, descriptorBlocks, firstDataBlock } = geometry;
    this.#descriptors = new Uint8Array(descriptorBlocks * blockBytes);
    const root = firstDataBlock + groupOverhead(geometry, 0);
    const lostBlocks = Math.min(12, Math.max(2, Math.ceil((16 * 1024) / blockBytes)));
    this.#placed = { root, lost: root + 1, lostBlocks, resize: root + 1 + lostBlocks };
  }

  async make(): Promise<void> {
    const { groups, firstDataBlock, blockBytes } = this.#geometry;
    // What says that there is a file system goes first, and comes back last.
    await this.#writer.zero(0, Math.min(68 * 1024, this.#writer.sizeBytes));
    for (let group = 0; group < groups; group += 1) {
      await this.#makeGroup(group);
      this.#world.progress?.((group / groups) * 0.9);
    }
    await this.#makeFirstFiles();
    const superblock = this.#superblock();
    for (let group = groups - 1; group > 0; group -= 1) {
      if (!hasCopies(group)) continue;
      const start = this.#groupStart(group);
      superblock.setUint16(90, group, true);
      const copy = new Uint8Array(blockBytes);
      copy.set(new Uint8Array(superblock.buffer));
      await this.#block(start, copy);
      await this.#block(start + 1, this.#descriptors);
    }
    superblock.setUint16(90, 0, true);
    await this.#block(firstDataBlock + 1, this.#descriptors);
    const first = new Uint8Array(blockBytes);
    first.set(new Uint8Array(superblock.buffer), firstDataBlock === 1 ? 0 : SUPERBLOCK_BYTES);
    await this.#writer.sync();
    await this.#block(firstDataBlock, first);
    await this.#writer.sync();
    this.#world.progress?.(1);
  }

  async #makeGroup(group: number): Promise<void> {
    const { blockBytes, inodesPerGroup, inodeTableBlocks, reservedDescriptorBlocks, descriptorBlocks } =
      this.#geometry;
    const start = this.#groupStart(group);
    const bitmaps = start + copiesBlocks(this.#geometry, group);
    const length = this.#groupBlocks(group);
    const first = group === 0;
    const used = groupOverhead(this.#geometry, group) + (first ? 1 + this.#placed.lostBlocks + 1 : 0);
    const maps = new Uint8Array(2 * blockBytes);
    setBits(maps, 0, used);
    setBits(maps, length, 8 * blockBytes);
    setBits(maps, 8 * blockBytes, 8 * blockBytes + (first ? LOST_INODE : 0));
    setBits(maps, 8 * blockBytes + inodesPerGroup, 16 * blockBytes);
    await this.#block(bitmaps, maps);
    await this.#writer.zero((bitmaps + 2) * blockBytes, inodeTableBlocks * blockBytes);
    if (hasCopies(group) && reservedDescriptorBlocks > 0) {
      const reserved = start + 1 + descriptorBlocks;
      await this.#writer.zero(reserved * blockBytes, reservedDescriptorBlocks * blockBytes);
    }
    const view = new DataView(this.#descriptors.buffer, group * DESCRIPTOR_BYTES, DESCRIPTOR_BYTES);
    view.setUint32(0, bitmaps, true);
    view.setUint32(4, bitmaps + 1, true);
    view.setUint32(8, bitmaps + 2, true);
    view.setUint16(12, length - used, true);
    view.setUint16(14, inodesPerGroup - (first ? LOST_INODE : 0), true);
    view.setUint16(16, first ? DIRECTORIES : 0, true);
    this.#freeBlocks += length - used;
  }

  async #makeFirstFiles(): Promise<void> {
    const { blockBytes, firstDataBlock, inodeBytes } = this.#geometry;
    const { root, resize } = this.#placed;
    const table = firstDataBlock + copiesBlocks(this.#geometry, 0) + 2;
    const seconds = Math.floor(this.#world.nowMs / 1000);
    const backups = this.#backupGroups();
    const inodes = firstInodes(this.#geometry, this.#placed, seconds, backups.length);
    const whole = new Uint8Array(Math.ceil((LOST_INODE * inodeBytes) / blockBytes) * blockBytes);
    whole.set(inodes);
    await this.#block(table, whole);
    await this.#block(root, directoryBlocks(blockBytes, this.#placed.lostBlocks));
    await this.#makeResizeInode(resize, backups);
  }

  /**
   * The reserved blocks belong to inode 7: a block leads to those of the first group, and each of
   * these to its copies in the others, so that a kernel which makes the file system larger finds
   * them.
   */
  async #makeResizeInode(place: number, backups: readonly number[]): Promise<void> {
    const { blockBytes, blocksPerGroup, firstDataBlock, descriptorBlocks, reservedDescriptorBlocks } =
      this.#geometry;
    const pointers = blockBytes / 4;
    const list = new DataView(new ArrayBuffer(blockBytes));
    for (let index = 0; index < reservedDescriptorBlocks; index += 1) {
      const block = firstDataBlock + 1 + descriptorBlocks + index;
      list.setUint32(((descriptorBlocks + index) % pointers) * 4, block, true);
      const copies = new DataView(new ArrayBuffer(blockBytes));
      for (const [number, group] of backups.entries()) {
        copies.setUint32(number * 4, block + group * blocksPerGroup, true);
      }
      await this.#block(block, new Uint8Array(copies.buffer));
    }
    await this.#block(place, new Uint8Array(list.buffer));
  }

  #backupGroups(): readonly number[] {
    return Array.from({ length: this.#geometry.groups }, (_, group) => group).filter(
      (group) => group > 0 && hasCopies(group),
    );
  }

  #superblock(): DataView {
    const geometry = this.#geometry;
    const view = new DataView(new ArrayBuffer(SUPERBLOCK_BYTES));
    const bytes = new Uint8Array(view.buffer);
    const long = (at: number, value: number): void => view.setUint32(at, value, true);
    const short = (at: number, value: number): void => view.setUint16(at, value, true);
    const seconds = Math.floor(this.#world.nowMs / 1000);
    const logBlock = Math.log2(geometry.blockBytes) - 10;
    long(0, geometry.inodesPerGroup * geometry.groups);
    long(4, geometry.blocks);
    long(8, Math.floor(geometry.blocks * RESERVED_SHARE));
    long(12, this.#freeBlocks);
    long(16, geometry.inodesPerGroup * geometry.groups - LOST_INODE);
    long(20, geometry.firstDataBlock);
    long(24, logBlock);
    long(28, logBlock);
    long(32, geometry.blocksPerGroup);
    long(36, geometry.blocksPerGroup);
    long(40, geometry.inodesPerGroup);
    long(48, seconds);
    short(54, 0xffff);
    short(56, MAGIC);
    short(58, 1);
    short(60, 1);
    long(64, seconds);
    long(76, 1);
    long(84, FIRST_INODE);
    short(88, geometry.inodeBytes);
    long(92, FEATURES.compatible);
    long(96, FEATURES.incompatible);
    long(100, FEATURES.readOnlyCompatible);
    this.#uuid(bytes.subarray(104, 120));
    bytes.set(this.#label, 120);
    short(206, geometry.reservedDescriptorBlocks);
    this.#uuid(bytes.subarray(236, 252));
    // Half of MD4, with signed bytes; attributes and ACLs of users.
    view.setUint8(252, 1);
    long(256, 0xc);
    long(264, seconds);
    if (geometry.inodeBytes > 128) {
      short(348, 32);
      short(350, 32);
    }
    long(352, 1);
    return view;
  }

  /** A UUID of chance (RFC 9562, version 4). */
  #uuid(bytes: Uint8Array): void {
    this.#world.random(bytes);
    bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
    bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  }

  #groupStart(group: number): number {
    return this.#geometry.firstDataBlock + group * this.#geometry.blocksPerGroup;
  }

  #groupBlocks(group: number): number {
    return Math.min(this.#geometry.blocksPerGroup, this.#geometry.blocks - this.#groupStart(group));
  }

  #block(block: number, bytes: Uint8Array): Promise<void> {
    return this.#writer.write(block * this.#geometry.blockBytes, bytes);
  }
}

/** Sets the bits from `from` to before `to`. */
function setBits(bytes: Uint8Array, from: number, to: number): void {
  let bit = from;
  while (bit < to && bit % 8 !== 0) {
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (1 << (bit & 7));
    bit += 1;
  }
  const whole = Math.floor(to / 8);
  if (whole > bit >> 3) {
    bytes.fill(0xff, bit >> 3, whole);
    bit = whole * 8;
  }
  for (; bit < to; bit += 1) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (1 << (bit & 7));
}
