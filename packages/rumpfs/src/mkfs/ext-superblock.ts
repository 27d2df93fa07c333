/** The superblock of a new ext2, ext3 or ext4. */
import type { ExtChecksums } from './ext-checksums.ts';
import { FIRST_INODE, JOURNAL_INODE, LOST_INODE } from './ext-first-files.ts';
import { hasResizeInode, type ExtPlan } from './ext-plan.ts';

const SUPERBLOCK_BYTES = 1024;
const RESERVED_SHARE = 0.05;
const MAGIC = 0xef53;
const COMPATIBLE = { journal: 0x4, attributes: 0x8, resizeInode: 0x10, directoryIndex: 0x20 } as const;
/** filetype; extents, 64bit and flex_bg. */
const INCOMPATIBLE = { old: 0x2, modern: 0x2c0 } as const;
/** sparse_super and large_file; huge_file, dir_nlink, extra_isize and metadata_csum. */
const READ_ONLY_COMPATIBLE = { old: 0x3, modern: 0x468 } as const;

/** What stands in the superblock besides the plan. */
export interface SuperblockFacts {
  readonly label: Uint8Array;
  readonly uuid: Uint8Array;
  readonly hashSeed: Uint8Array;
  readonly seconds: number;
  readonly freeBlocks: number;
  /** A copy of the journal's map. */
  readonly journalMap: Uint8Array | undefined;
  readonly checksums: ExtChecksums | undefined;
}

/** The superblock as it stands in a group. */
export function extSuperblock(plan: ExtPlan, facts: SuperblockFacts, group: number): Uint8Array {
  const { geometry, placed } = plan;
  const { kind, blocks, blockBytes, inodesPerGroup, groups } = geometry;
  const view = new DataView(new ArrayBuffer(SUPERBLOCK_BYTES));
  const bytes = new Uint8Array(view.buffer);
  const long = (at: number, value: number): void => view.setUint32(at, value % 2 ** 32, true);
  const short = (at: number, value: number): void => view.setUint16(at, value, true);
  const high = (at: number, value: number): void => long(at, Math.floor(value / 2 ** 32));
  const logBlock = Math.log2(blockBytes) - 10;
  const reserved = Math.floor(blocks * RESERVED_SHARE);
  long(0, inodesPerGroup * groups);
  long(4, blocks);
  long(8, reserved);
  long(12, facts.freeBlocks);
  long(16, inodesPerGroup * groups - LOST_INODE);
  long(20, geometry.firstDataBlock);
  long(24, logBlock);
  long(28, logBlock);
  long(32, geometry.blocksPerGroup);
  long(36, geometry.blocksPerGroup);
  long(40, inodesPerGroup);
  long(48, facts.seconds);
  short(54, 0xffff);
  short(56, MAGIC);
  short(58, 1);
  short(60, 1);
  long(64, facts.seconds);
  long(76, 1);
  long(84, FIRST_INODE);
  short(88, geometry.inodeBytes);
  short(90, group);
  const resize = hasResizeInode(geometry) ? COMPATIBLE.resizeInode : 0;
  const journal = placed.journal === undefined ? 0 : COMPATIBLE.journal;
  long(92, COMPATIBLE.attributes | COMPATIBLE.directoryIndex | resize | journal);
  long(96, INCOMPATIBLE.old | (kind.modern ? INCOMPATIBLE.modern : 0));
  long(100, READ_ONLY_COMPATIBLE.old | (kind.modern ? READ_ONLY_COMPATIBLE.modern : 0));
  bytes.set(facts.uuid, 104);
  bytes.set(facts.label, 120);
  short(206, geometry.reservedDescriptorBlocks);
  if (facts.journalMap !== undefined) {
    long(224, JOURNAL_INODE);
    view.setUint8(253, 1);
    bytes.set(facts.journalMap, 268);
    const sizeBytes = (placed.journal?.blocks ?? 0) * blockBytes;
    high(328, sizeBytes);
    long(332, sizeBytes);
  }
  bytes.set(facts.hashSeed, 236);
  // Half of MD4, with signed bytes; attributes and ACLs of users.
  view.setUint8(252, 1);
  long(256, 0xc);
  long(264, facts.seconds);
  if (geometry.inodeBytes > 128) {
    short(348, 32);
    short(350, 32);
  }
  long(352, 1);
  if (kind.modern) {
    short(254, kind.descriptorBytes);
    high(336, blocks);
    high(340, reserved);
    high(344, facts.freeBlocks);
    view.setUint8(372, Math.log2(kind.groupsTogether));
    view.setUint8(373, 1);
  }
  // What is neither free nor of a directory nor of a map.
  const maps = (placed.resize === undefined ? 0 : 1) + (placed.journal?.map.length ?? 0);
  const files = 1 + placed.lostBlocks + maps;
  long(584, blocks - facts.freeBlocks - files);
  facts.checksums?.superblock(view);
  return bytes;
}

/**
 * The first block of a new journal, in big endian: it is empty. See jbd2's format in the kernel's
 * documentation.
 */
export function journalSuperblock(blocks: number, blockBytes: number, uuid: Uint8Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(blockBytes));
  view.setUint32(0, 0xc03b_3998);
  view.setUint32(4, 4);
  view.setUint32(12, blockBytes);
  view.setUint32(16, blocks);
  view.setUint32(20, 1);
  view.setUint32(24, 1);
  new Uint8Array(view.buffer).set(uuid, 48);
  view.setUint32(64, 1);
  return new Uint8Array(view.buffer);
}
