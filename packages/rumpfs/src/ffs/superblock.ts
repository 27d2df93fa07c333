import { FsError } from '../errors.ts';
import type { LogPlace } from '../wapbl/log-header.ts';
import { Fields } from './fields.ts';

/*
 * FFS, the Berkeley fast file system. UFS1 has 32-bit addresses and inodes of 128 bytes, UFS2 has
 * 64-bit addresses and inodes of 256. All numbers are in the byte order of the machine that made
 * it. Addresses count fragments; a block is 1, 2, 4 or 8 of them, aligned. The device is cut into
 * cylinder groups of `fragmentsPerGroup`, each with a copy of the superblock, its own structure,
 * its part of the inodes, and data. An area behind the structures of the first group has the
 * counts of all groups.
 *
 * The superblock has 1376 bytes, at 64 KiB (UFS2), 8 KiB (UFS1, and UFS2 by makefs), 0 or 256 KiB.
 * What UFS1 had in 32 bits is in the upper half in 64 bits as well, which counts if the flag for
 * that is set. Source: McKusick et al., "A Fast File System for UNIX" (1984), McKusick and
 * Neville-Neil, "The Design and Implementation of the FreeBSD Operating System", and the manual
 * page fs(5).
 */
export const SUPERBLOCK_BYTES = 1376;
export const SUPERBLOCK_OFFSETS: readonly number[] = [65_536, 8192, 0, 262_144];
/** Here a UFS1 with blocks of 64 KiB has a copy; its superblock is before that. */
const UFS2_OFFSET = 65_536;

const MAGIC_OFFSET = 1372;
const MAGIC_UFS1 = 0x0001_1954;
const MAGIC_UFS2 = 0x1954_0119;
/** UFS2 of NetBSD with room for extended attributes; earlier ones of NetBSD had it, too. */
const MAGIC_UFS2_ATTRIBUTES = 0x1901_2038;

export const ROOT_INODE = 2;
export const DIRECT_POINTERS = 12;
export const INDIRECT_POINTERS = 3;

/** Bits of the field with the flags of the file system. */
export const FLAG = {
  unclean: 0x1,
  softUpdates: 0x2,
  needsCheck: 0x4,
  softUpdateJournal: 0x8,
  gjournal: 0x40,
  /** In the old byte of flags: the flags are in the new field. */
  updated: 0x80,
  /** NetBSD: WAPBL. FreeBSD: access control lists of NFSv4. */
  log: 0x100,
  /** NetBSD: quotas in the file system. FreeBSD: check hashes. */
  quotaOrHashes: 0x200,
} as const;

/** Offsets of the fields that change. */
const AT = {
  oldTime: 32,
  oldTotals: 192,
  modified: 208,
  clean: 209,
  oldFlags: 211,
  totals: 1008,
  time: 1072,
  flags: 1312,
} as const;

/** The mark of a file system in use that was clean before, and whose log has what changed. */
export const CLEAN_BEFORE = 2;

/** Counts of a cylinder group, or of all. */
export interface Totals {
  readonly directories: number;
  readonly freeBlocks: number;
  readonly freeInodes: number;
  readonly freeFragments: number;
}

/** Whether 1376 bytes at one of the offsets are a superblock, and in which byte order. */
export function recogniseSuperblock(bytes: Uint8Array, offsetBytes: number): Superblock | undefined {
  for (const littleEndian of [true, false]) {
    const fields = new Fields(bytes, littleEndian);
    const magic = fields.u32(MAGIC_OFFSET);
    if (magic === MAGIC_UFS1 && offsetBytes !== UFS2_OFFSET) return new Superblock(fields, 1, offsetBytes);
    if (magic !== MAGIC_UFS2 && magic !== MAGIC_UFS2_ATTRIBUTES) continue;
    const superblock = new Superblock(fields, 2, offsetBytes);
    // A copy says where the first one is.
    if (superblock.ownOffset === offsetBytes) return superblock;
  }
  return undefined;
}

/** The superblock: sizes that never change, and the totals, flags and times that do. */
export class Superblock {
  readonly fields: Fields;
  readonly revision: 1 | 2;
  readonly offsetBytes: number;
  readonly formatName: string;
  readonly littleEndian: boolean;

  readonly superblockAt: number;
  readonly groupAt: number;
  readonly inodesAt: number;
  readonly dataAt: number;
  readonly groupCount: number;
  readonly blockSizeBytes: number;
  readonly fragmentSizeBytes: number;
  readonly fragmentsPerBlock: number;
  readonly groupSizeBytes: number;
  readonly inodesPerGroup: number;
  readonly fragmentsPerGroup: number;
  /** Fragments of the whole file system, and those for data. */
  readonly fragments: number;
  readonly dataFragments: number;
  readonly summaryAt: number;
  readonly summaryBytes: number;
  readonly inodeSizeBytes: number;
  readonly inodesPerBlock: number;
  readonly pointerBytes: number;
  readonly pointersPerBlock: number;
  readonly shortLinkBytesMax: number;
  readonly clusterSizesMax: number;
  readonly blocksPerFileInGroup: number;
  readonly prefersSpeed: boolean;
  /** 4.2BSD inodes: owners of 16 bits, and directories without types. */
  readonly oldInodes: boolean;
  readonly inodes: number;
  /** Whether UFS1 keeps its totals in the fields of UFS2, too. */
  readonly #updated: boolean;

  constructor(fields: Fields, revision: 1 | 2, offsetBytes: number) {
    this.fields = fields;
    this.revision = revision;
    this.offsetBytes = offsetBytes;
    this.formatName = `ufs${revision}`;
    this.littleEndian = fields.littleEndian;
    this.#updated = revision === 2 || ((fields.bytes[AT.oldFlags] ?? 0) & FLAG.updated) !== 0;
    this.superblockAt = fields.i32(8);
    this.groupAt = fields.i32(12);
    this.inodesAt = fields.i32(16);
    this.dataAt = fields.i32(20);
    this.groupCount = fields.i32(44);
    this.blockSizeBytes = fields.i32(48);
    this.fragmentSizeBytes = fields.i32(52);
    this.fragmentsPerBlock = this.blockSizeBytes / this.fragmentSizeBytes;
    this.groupSizeBytes = fields.i32(160);
    this.inodesPerGroup = fields.i32(184);
    this.fragmentsPerGroup = fields.i32(188);
    this.fragments = this.#updated ? fields.i64(1080) : fields.i32(36);
    this.dataFragments = this.#updated ? fields.i64(1088) : fields.i32(40);
    this.summaryAt = this.#updated ? fields.i64(1096) : fields.i32(152);
    this.summaryBytes = fields.i32(156);
    this.inodeSizeBytes = revision === 1 ? 128 : 256;
    this.inodesPerBlock = this.blockSizeBytes / this.inodeSizeBytes;
    this.pointerBytes = revision === 1 ? 4 : 8;
    this.pointersPerBlock = this.blockSizeBytes / this.pointerBytes;
    const area = (DIRECT_POINTERS + INDIRECT_POINTERS) * this.pointerBytes;
    this.oldInodes = revision === 1 && (fields.i32(1324) < 2 || fields.i32(1320) <= 0);
    this.shortLinkBytesMax = Math.max(0, Math.min(area, fields.i32(1320)));
    this.clusterSizesMax = Math.max(0, fields.i32(1316));
    this.blocksPerFileInGroup = Math.max(1, fields.i32(92));
    this.prefersSpeed = fields.i32(128) === 0;
    this.inodes = this.groupCount * this.inodesPerGroup;
  }

  /** The offset at which the superblock says it is. */
  get ownOffset(): number {
    return this.fields.i64(1000);
  }

  get label(): string {
    const name = this.fields.bytes.subarray(680, 712);
    const end = name.indexOf(0);
    return String.fromCharCode(...name.subarray(0, end < 0 ? name.length : end)).replace(/[^ -~]/g, '?');
  }

  get flags(): number {
    return this.#updated ? this.fields.u32(AT.flags) : (this.fields.bytes[AT.oldFlags] ?? 0);
  }

  set flags(value: number) {
    if (this.#updated) this.fields.setU32(AT.flags, value);
    else this.fields.bytes[AT.oldFlags] = value & 0x7f;
  }

  /** Not 0 for one that was unmounted cleanly; `CLEAN_BEFORE` while it is in use with a log. */
  get clean(): number {
    return this.fields.bytes[AT.clean] ?? 0;
  }

  set clean(value: number) {
    this.fields.bytes[AT.clean] = value;
  }

  get hasSnapshots(): boolean {
    return this.fields.u32(1116) !== 0;
  }

  get totals(): Totals {
    const { fields } = this;
    const read = (index: number): number =>
      this.#updated ? fields.i64(AT.totals + index * 8) : fields.i32(AT.oldTotals + index * 4);
    return { directories: read(0), freeBlocks: read(1), freeInodes: read(2), freeFragments: read(3) };
  }

  /**
   * Where the log of WAPBL is: behind the file system, or in a file without a name. Undefined where
   * there is none.
   */
  get logPlace(): LogPlace | undefined {
    const { fields } = this;
    const [version, location] = [fields.bytes[864], fields.bytes[865]];
    if (!this.#updated || version !== 1 || (location !== 1 && location !== 2)) return undefined;
    const [address, count, blockBytes] = [fields.i64(872), fields.i64(880), fields.i64(888)];
    return { at: address * blockBytes, lengthBytes: count * blockBytes, blockBytes };
  }

  /**
   * Whether what the log has counts: it was in use when the file system was written to last.
   * FreeBSD has another meaning for the flag, and no log.
   */
  get usesLog(): boolean {
    return (this.flags & FLAG.log) !== 0 && this.logPlace !== undefined;
  }

  /** Sets the totals and the time of the last change, in all places that the revision has. */
  setTotals(totals: Totals, nowMs: number): void {
    const { fields } = this;
    const values = [totals.directories, totals.freeBlocks, totals.freeInodes, totals.freeFragments];
    for (const [index, value] of values.entries()) {
      if (this.#updated) fields.setI64(AT.totals + index * 8, value);
      if (this.revision === 1) fields.setU32(AT.oldTotals + index * 4, value);
    }
    const seconds = Math.floor(nowMs / 1000);
    if (this.#updated) fields.setI64(AT.time, seconds);
    if (this.revision === 1) fields.setU32(AT.oldTime, seconds);
    fields.bytes[AT.modified] = 0;
  }

  /** The first fragment of a group. */
  groupStart(group: number): number {
    return group * this.fragmentsPerGroup;
  }

  /** The number of fragments of a group; the last one may be shorter. */
  fragmentsIn(group: number): number {
    return Math.min(this.fragmentsPerGroup, this.fragments - this.groupStart(group));
  }

  groupOf(fragment: number): number {
    return Math.floor(fragment / this.fragmentsPerGroup);
  }

  /**
   * From where on a group has its structures. In old UFS1 they are not at the same place of all
   * groups, so that not one platter of the disk has all superblocks.
   */
  structuresStart(group: number): number {
    const start = this.groupStart(group);
    return this.revision === 2 ? start : start + this.fields.i32(24) * (group & ~this.fields.i32(28));
  }

  groupBlock(group: number): number {
    return this.structuresStart(group) + this.groupAt;
  }

  inodeTable(group: number): number {
    return this.structuresStart(group) + this.inodesAt;
  }

  dataStart(group: number): number {
    return this.structuresStart(group) + this.dataAt;
  }

  /** The fragments that hold the summary of the groups. */
  get summaryFragments(): number {
    return Math.ceil(this.summaryBytes / this.fragmentSizeBytes);
  }

  /** The largest size of a file: as far as the pointers reach. */
  get fileBytesMax(): number {
    const perBlock = this.pointersPerBlock;
    const blocks = DIRECT_POINTERS + perBlock + perBlock ** 2 + perBlock ** 3;
    const reach = Math.min(blocks * this.blockSizeBytes, Number.MAX_SAFE_INTEGER);
    const stated = this.fields.i64(1328);
    const bySectors = this.revision === 1 ? 2 ** 31 * 512 - this.blockSizeBytes : Number.MAX_SAFE_INTEGER;
    const known = this.#updated && stated > 0 ? stated : 2 ** 31 * this.blockSizeBytes - 1;
    return Math.min(reach, bySectors, known);
  }

  /** Throws `Corrupt`, with the field's name, for sizes that cannot be. */
  check(): void {
    const wrong = wrongSize(this);
    if (wrong !== undefined) throw new FsError('Corrupt', `${this.formatName}: superblock: ${wrong}`);
  }
}

/** What is wrong with the sizes in a superblock; undefined where nothing is. */
function wrongSize(superblock: Superblock): string | undefined {
  const { blockSizeBytes, fragmentSizeBytes, fragmentsPerBlock, groupCount } = superblock;
  const power = (value: number): boolean => value > 0 && (value & (value - 1)) === 0;
  if (!power(blockSizeBytes) || blockSizeBytes < 4096 || blockSizeBytes > 65_536)
    return `blocks of ${blockSizeBytes} bytes`;
  if (!power(fragmentSizeBytes) || fragmentSizeBytes < 512 || ![1, 2, 4, 8].includes(fragmentsPerBlock))
    return `fragments of ${fragmentSizeBytes} bytes in blocks of ${blockSizeBytes}`;
  const { fragmentsPerGroup, fragments, inodesPerGroup, inodesPerBlock } = superblock;
  if (fragmentsPerGroup <= 0 || fragmentsPerGroup % fragmentsPerBlock !== 0)
    return `groups of ${fragmentsPerGroup} fragments`;
  if (
    !Number.isSafeInteger(fragments) ||
    groupCount <= 0 ||
    Math.ceil(fragments / fragmentsPerGroup) !== groupCount
  )
    return `${fragments} fragments in ${groupCount} groups of ${fragmentsPerGroup}`;
  if (inodesPerGroup <= 0 || inodesPerGroup % inodesPerBlock !== 0 || superblock.inodes > 2 ** 32)
    return `${inodesPerGroup} inodes a group`;
  return wrongPlace(superblock);
}

function wrongPlace(superblock: Superblock): string | undefined {
  const { fragmentsPerBlock, groupCount, inodesPerGroup, inodesPerBlock } = superblock;
  const { superblockAt, groupAt, inodesAt, dataAt, groupSizeBytes, blockSizeBytes } = superblock;
  const inodesEnd = inodesAt + (inodesPerGroup / inodesPerBlock) * fragmentsPerBlock;
  const ordered = 0 <= superblockAt && superblockAt < groupAt && groupAt < inodesAt && inodesEnd <= dataAt;
  if (!ordered || groupAt + fragmentsPerBlock > inodesAt || inodesAt % fragmentsPerBlock !== 0)
    return `structures at ${superblockAt}, ${groupAt}, ${inodesAt}, ${dataAt} of a group`;
  const last = groupCount - 1;
  const fits = (group: number): boolean =>
    superblock.structuresStart(group) >= superblock.groupStart(group) &&
    superblock.dataStart(group) <= superblock.groupStart(group) + superblock.fragmentsIn(group);
  // The places repeat with the lowest bits of the number that the mask leaves.
  for (let group = 0; group < Math.min(groupCount, 4096); group += 1)
    if (!fits(group)) return `structures of group ${group} outside of it`;
  if (!fits(last)) return `structures of group ${last} outside of it`;
  const bitmaps = 168 + Math.ceil(inodesPerGroup / 8) + Math.ceil(superblock.fragmentsPerGroup / 8);
  if (groupSizeBytes < bitmaps || groupSizeBytes > blockSizeBytes)
    return `group structures of ${groupSizeBytes} bytes`;
  const { summaryAt, summaryBytes, summaryFragments, fragments } = superblock;
  if (summaryBytes < groupCount * 16 || !(summaryAt > 0 && summaryAt + summaryFragments <= fragments))
    return `a summary of ${summaryBytes} bytes at fragment ${summaryAt}`;
  return undefined;
}
