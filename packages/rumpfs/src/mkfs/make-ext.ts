/**
 * Makes an ext2, ext3 or ext4 of revision 1 with the features that mke2fs gives one. Each group
 * has, where it has copies, the superblock, the descriptors and blocks reserved for more of them.
 * The bitmaps and the table of inodes of a group lie behind those, or, in an ext4, those of sixteen
 * groups together. The structures are those that `ext/` describes; nothing of that is used here, so
 * that one does not repeat a mistake of the other.
 */
import { bytesOfText } from '@ginit/core/file_system';
import { FsError } from '../errors.ts';
import { ExtChecksums } from './ext-checksums.ts';
import { directoryBlocks, type FirstFilesParts, firstFiles, LOST_INODE } from './ext-first-files.ts';
import { copiesBlocks, type ExtGeometry, extGeometry, type ExtWishes, hasCopies } from './ext-geometry.ts';
import { EXT_KINDS, type ExtKindName } from './ext-kinds.ts';
import { type ExtPlan, planExt } from './ext-plan.ts';
import { extSuperblock, journalSuperblock, type SuperblockFacts } from './ext-superblock.ts';
import { type FormatDevice, type FormatWorld, FormatWriter } from './format-device.ts';
import { ZeroedBlocks } from './zeroed-blocks.ts';

/** The wishes for one. */
export interface ExtOptions extends ExtWishes {
  /** At most 16 bytes. */
  readonly label?: string | undefined;
}

const LABEL_BYTES = 16;
const SUPERBLOCK_BYTES = 1024;
const UUID_BYTES = 16;
/** The root directory, `lost+found`. */
const DIRECTORIES = 2;
const GROUP_FLAG = { inodesUninitialised: 1, blocksUninitialised: 2, tableZeroed: 4 } as const;

/** Makes the file system. Rejects with `FsError`. */
export async function makeExt(
  device: FormatDevice,
  type: ExtKindName,
  options: ExtOptions,
  world: FormatWorld,
): Promise<void> {
  const writer = new FormatWriter(device);
  const label = labelBytes(type, options.label);
  const plan = planExt(extGeometry(writer.sizeBytes, EXT_KINDS[type], options));
  await new ExtMaker(writer, plan, label, world).make();
}

function labelBytes(type: ExtKindName, label = ''): Uint8Array {
  const bytes = bytesOfText(label);
  if (bytes && bytes.length <= LABEL_BYTES) return bytes;
  throw new FsError('InvalidArgument', `"${label}" is no label of ${type}: at most 16 bytes`);
}

class ExtMaker {
  readonly #writer: FormatWriter;
  readonly #plan: ExtPlan;
  readonly #geometry: ExtGeometry;
  readonly #label: Uint8Array;
  readonly #world: FormatWorld;
  readonly #uuid: Uint8Array;
  readonly #checksums: ExtChecksums | undefined;
  readonly #descriptors: Uint8Array;
  readonly #zeroed: ZeroedBlocks;
  #freeBlocks = 0;

  constructor(writer: FormatWriter, plan: ExtPlan, label: Uint8Array, world: FormatWorld) {
    this.#writer = writer;
    this.#plan = plan;
    this.#geometry = plan.geometry;
    this.#label = label;
    this.#world = world;
    this.#uuid = this.#randomUuid();
    const { blockBytes, descriptorBlocks, kind } = plan.geometry;
    this.#checksums = kind.modern ? new ExtChecksums(this.#uuid) : undefined;
    this.#descriptors = new Uint8Array(descriptorBlocks * blockBytes);
    this.#zeroed = new ZeroedBlocks(writer, blockBytes);
  }

  async make(): Promise<void> {
    const { groups, firstDataBlock, blockBytes } = this.#geometry;
    // What says that there is a file system goes first, and comes back last.
    await this.#writer.zero(0, Math.min(68 * 1024, this.#writer.sizeBytes));
    for (let group = 0; group < groups; group += 1) {
      await this.#makeGroup(group);
      this.#world.progress?.((group / groups) * 0.8);
    }
    await this.#makeJournal();
    await this.#zeroed.end();
    this.#world.progress?.(0.9);
    const facts = await this.#makeFirstFiles();
    for (let group = groups - 1; group > 0; group -= 1) {
      if (!hasCopies(group)) continue;
      const copy = new Uint8Array(blockBytes);
      copy.set(extSuperblock(this.#plan, facts, group));
      await this.#block(this.#groupStart(group), copy);
      await this.#block(this.#groupStart(group) + 1, this.#descriptors);
    }
    await this.#block(firstDataBlock + 1, this.#descriptors);
    const first = new Uint8Array(blockBytes);
    first.set(extSuperblock(this.#plan, facts, 0), firstDataBlock === 1 ? 0 : SUPERBLOCK_BYTES);
    await this.#writer.sync();
    await this.#block(firstDataBlock, first);
    await this.#writer.sync();
    this.#world.progress?.(1);
  }

  async #makeGroup(group: number): Promise<void> {
    const { inodesPerGroup, inodeTableBlocks, reservedDescriptorBlocks, descriptorBlocks, kind } =
      this.#geometry;
    const { blockBitmaps, inodeBitmaps, inodeTables } = this.#plan;
    const start = this.#groupStart(group);
    const end = start + this.#groupBlocks(group);
    const inodesUsed = group === 0 ? LOST_INODE : 0;
    const table = inodeTables[group] ?? 0;
    await this.#zeroed.add(table, inodeTableBlocks);
    if (hasCopies(group) && reservedDescriptorBlocks > 0)
      await this.#zeroed.add(start + 1 + descriptorBlocks, reservedDescriptorBlocks);
    let used = 0;
    for (const { count } of this.#plan.space.usedIn(start, end)) used += count;
    const view = this.#descriptor(group);
    this.#number(view, 0, 32, blockBitmaps[group] ?? 0);
    this.#number(view, 4, 36, inodeBitmaps[group] ?? 0);
    this.#number(view, 8, 40, table);
    view.setUint16(12, end - start - used, true);
    view.setUint16(14, inodesPerGroup - inodesUsed, true);
    view.setUint16(16, group === 0 ? DIRECTORIES : 0, true);
    if (kind.modern) {
      view.setUint16(18, this.#flags(group, used), true);
      view.setUint16(28, inodesPerGroup - inodesUsed, true);
    }
    await this.#makeBitmaps(group, start, end);
    this.#checksums?.descriptor(view, group);
    this.#freeBlocks += end - start - used;
  }

  /**
   * A group of an ext4 without inodes needs no bitmap of them, and one with nothing but copies of
   * the descriptors needs none of its blocks; the last one has that all the same.
   */
  #flags(group: number, used: number): number {
    const { groups } = this.#geometry;
    const inodes = group === 0 ? 0 : GROUP_FLAG.inodesUninitialised;
    const empty = group > 0 && group < groups - 1 && used === copiesBlocks(this.#geometry, group);
    return inodes | (empty ? GROUP_FLAG.blocksUninitialised : 0) | GROUP_FLAG.tableZeroed;
  }

  async #makeBitmaps(group: number, start: number, end: number): Promise<void> {
    const { blockBytes, blocksPerGroup, inodesPerGroup } = this.#geometry;
    const view = this.#descriptor(group);
    const flags = this.#checksums === undefined ? 0 : view.getUint16(18, true);
    const blocks = new Uint8Array(blockBytes);
    if ((flags & GROUP_FLAG.blocksUninitialised) === 0) {
      for (const run of this.#plan.space.usedIn(start, end))
        setBits(blocks, run.start - start, run.start - start + run.count);
      setBits(blocks, end - start, 8 * blockBytes);
      await this.#block(this.#plan.blockBitmaps[group] ?? 0, blocks);
    }
    const inodes = new Uint8Array(blockBytes);
    if ((flags & GROUP_FLAG.inodesUninitialised) === 0) {
      setBits(inodes, 0, group === 0 ? LOST_INODE : 0);
      setBits(inodes, inodesPerGroup, 8 * blockBytes);
      await this.#block(this.#plan.inodeBitmaps[group] ?? 0, inodes);
    }
    this.#checksums?.bitmaps(view, {
      blocks:
        (flags & GROUP_FLAG.blocksUninitialised) === 0 ? blocks.subarray(0, blocksPerGroup / 8) : undefined,
      inodes:
        (flags & GROUP_FLAG.inodesUninitialised) === 0 ? inodes.subarray(0, inodesPerGroup / 8) : undefined,
    });
  }

  async #makeJournal(): Promise<void> {
    for (const { start, count } of this.#plan.placed.journal?.runs ?? [])
      await this.#zeroed.add(start, count);
  }

  async #makeFirstFiles(): Promise<SuperblockFacts> {
    const { blockBytes } = this.#geometry;
    const { placed, inodeTables } = this.#plan;
    const backups = this.#backupGroups();
    const parts: FirstFilesParts = {
      geometry: this.#geometry,
      placed,
      seconds: Math.floor(this.#world.nowMs / 1000),
      backups: backups.length,
      checksums: this.#checksums,
    };
    const { inodes, mapBlocks, journalMap } = firstFiles(parts);
    const whole = new Uint8Array(Math.ceil(inodes.length / blockBytes) * blockBytes);
    whole.set(inodes);
    await this.#block(inodeTables[0] ?? 0, whole);
    for (const { block, bytes } of mapBlocks) await this.#block(block, bytes);
    const directories = directoryBlocks(parts);
    await this.#block(placed.root, directories.subarray(0, blockBytes));
    await this.#block(placed.lost, directories.subarray(blockBytes));
    if (placed.resize !== undefined) await this.#makeResizeInode(placed.resize, backups);
    const [first] = placed.journal?.runs ?? [];
    if (first !== undefined) {
      const superblock = journalSuperblock(placed.journal?.blocks ?? 0, blockBytes, this.#uuid);
      await this.#block(first.start, superblock);
    }
    return {
      label: this.#label,
      uuid: this.#uuid,
      hashSeed: this.#randomUuid(),
      seconds: parts.seconds,
      freeBlocks: this.#freeBlocks,
      journalMap,
      checksums: this.#checksums,
    };
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

  #descriptor(group: number): DataView {
    const { descriptorBytes } = this.#geometry.kind;
    return new DataView(this.#descriptors.buffer, group * descriptorBytes, descriptorBytes);
  }

  /** A number of which a long descriptor has the upper half somewhere else. */
  #number(view: DataView, low: number, high: number, value: number): void {
    view.setUint32(low, value % 2 ** 32, true);
    if (view.byteLength > high) view.setUint32(high, Math.floor(value / 2 ** 32), true);
  }

  /** A UUID of chance (RFC 9562, version 4). */
  #randomUuid(): Uint8Array {
    const bytes = new Uint8Array(UUID_BYTES);
    this.#world.random(bytes);
    bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
    bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
    return bytes;
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
