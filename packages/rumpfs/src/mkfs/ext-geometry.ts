/**
 * The sizes of a new ext2, ext3 or ext4. The format's own rules are those of "The Second Extended
 * File System" (nongnu.org/ext2-doc) and of the kernel's documentation; which of the possible sizes
 * are chosen follows what mke2fs 1.47 is seen to choose.
 */
import { FsError } from '../errors.ts';
import type { ExtKind } from './ext-kinds.ts';

/** The wishes for one. */
export interface ExtWishes {
  readonly blockBytes?: number | undefined;
  /** Bytes of the device for each inode. */
  readonly bytesPerInode?: number | undefined;
  readonly inodeBytes?: number | undefined;
}

/** The sizes, in blocks where nothing else is said. */
export interface ExtGeometry {
  readonly kind: ExtKind;
  readonly blockBytes: number;
  readonly blocks: number;
  readonly firstDataBlock: number;
  readonly blocksPerGroup: number;
  readonly groups: number;
  readonly inodesPerGroup: number;
  readonly inodeBytes: number;
  readonly inodeTableBlocks: number;
  readonly descriptorBlocks: number;
  /** Kept free behind the descriptors, so that the file system can grow. */
  readonly reservedDescriptorBlocks: number;
}

const MEBIBYTE = 1024 * 1024;
const BLOCK_BYTES_MIN = 1024;
const BLOCK_BYTES_MAX = 64 * 1024;
const PER_GROUP_MAX = 65_528;
const BLOCKS_MAX = 2 ** 32 - 1;
/** What one with more groups had to put elsewhere (meta_bg): 64 TiB in blocks of 4 KiB. */
const GROUPS_MAX = 524_288;
/** A file system may grow to this many times its size. */
const GROWTH = 1024;
/** A last group with fewer blocks than this for data is left out. */
const LAST_GROUP_MIN = 50;
const INODE_BYTES = 256;

/** What is chosen by the size in MiB: bytes of a block, and bytes of the device for an inode. */
const USAGES: readonly (readonly [number, number, number])[] = [
  [3, 1024, 8192],
  [512, 1024, 4096],
  [4 * 1024 * 1024, 4096, 16_384],
  [16 * 1024 * 1024, 4096, 32_768],
  [Number.POSITIVE_INFINITY, 4096, 65_536],
];

/** The sizes for a device. Throws `InvalidArgument` if there can be no such file system. */
export function extGeometry(sizeBytes: number, type: ExtKind, wishes: ExtWishes): ExtGeometry {
  const [, usual = 4096, ratio = 16_384] = USAGES.find(([below]) => sizeBytes < below * MEBIBYTE) ?? [];
  const { blockBytes = usual, inodeBytes = INODE_BYTES } = wishes;
  const { bytesPerInode = Math.max(ratio, blockBytes) } = wishes;
  requirePower(type, 'blocks', blockBytes, BLOCK_BYTES_MIN, BLOCK_BYTES_MAX);
  requirePower(type, 'inodes', inodeBytes, 128, blockBytes);
  if (!(bytesPerInode >= 1024 && bytesPerInode <= 64 * MEBIBYTE))
    throw new FsError('InvalidArgument', `one inode for ${bytesPerInode} bytes: 1024 to 64M are possible`);
  const all = Math.floor(sizeBytes / blockBytes);
  if (all > BLOCKS_MAX && !type.modern)
    throw new FsError('InvalidArgument', `${all} blocks are more than ${type.name} can have (2^32)`);
  const kind = { type, blockBytes, inodeBytes, bytesPerInode };
  const found = sized(all, kind);
  if (found.groups > GROUPS_MAX)
    throw new FsError(
      'InvalidArgument',
      `${found.groups} groups of blocks: at most ${GROUPS_MAX} can be made`,
    );
  const { groups, blocksPerGroup, firstDataBlock } = found;
  const last = found.blocks - firstDataBlock - (groups - 1) * blocksPerGroup;
  const overhead = groupOverhead(found, groups - 1);
  if (last >= overhead + LAST_GROUP_MIN) return found;
  if (groups > 1) return sized(all - last, kind);
  if (last >= overhead + SMALLEST_DATA) return found;
  throw new FsError('InvalidArgument', `${sizeBytes} bytes are too few for ${type.name}`);
}

/** The directories, and the block that leads to the reserved descriptors. */
const SMALLEST_DATA = 14;

function requirePower({ name }: ExtKind, what: string, value: number, least: number, most: number): void {
  if (value >= least && value <= most && Number.isInteger(Math.log2(value))) return;
  throw new FsError('InvalidArgument', `${name} has no ${what} of ${value} bytes`);
}

function sized(
  blocks: number,
  {
    type,
    blockBytes,
    inodeBytes,
    bytesPerInode,
  }: { type: ExtKind; blockBytes: number; inodeBytes: number; bytesPerInode: number },
): ExtGeometry {
  const firstDataBlock = blockBytes === 1024 ? 1 : 0;
  const blocksPerGroup = Math.min(8 * blockBytes, PER_GROUP_MAX);
  const groups = Math.max(1, Math.ceil((blocks - firstDataBlock) / blocksPerGroup));
  const descriptorsPerBlock = blockBytes / type.descriptorBytes;
  const descriptorBlocks = Math.ceil(groups / descriptorsPerBlock);
  const wanted = Math.ceil((blocks * blockBytes) / bytesPerInode / groups);
  const inodesPerBlock = blockBytes / inodeBytes;
  const tableBlocks = Math.ceil(Math.max(wanted, 16) / inodesPerBlock);
  const inodesPerGroup = Math.min(
    Math.floor((tableBlocks * inodesPerBlock) / 8) * 8,
    Math.min(8 * blockBytes, PER_GROUP_MAX),
  );
  const grownGroups = Math.ceil((Math.min(blocks * GROWTH, BLOCKS_MAX) - firstDataBlock) / blocksPerGroup);
  const grown = Math.ceil(grownGroups / descriptorsPerBlock) - descriptorBlocks;
  return {
    kind: type,
    blockBytes,
    blocks,
    firstDataBlock,
    blocksPerGroup,
    groups,
    inodesPerGroup,
    inodeBytes,
    inodeTableBlocks: Math.ceil(inodesPerGroup / inodesPerBlock),
    descriptorBlocks,
    // Pointers to reserved blocks have 32 bits.
    reservedDescriptorBlocks: blocks > BLOCKS_MAX ? 0 : Math.max(0, Math.min(grown, blockBytes / 4)),
  };
}

/** Whether a group has copies of the superblock and the descriptors (sparse_super). */
export function hasCopies(group: number): boolean {
  return group <= 1 || [3, 5, 7].some((base) => isPower(group, base));
}

function isPower(value: number, base: number): boolean {
  let left = value;
  while (left > 1 && left % base === 0) left /= base;
  return left === 1;
}

/** The blocks at the beginning of a group that hold no data. */
export function groupOverhead(geometry: ExtGeometry, group: number): number {
  return copiesBlocks(geometry, group) + 2 + geometry.inodeTableBlocks;
}

/** The blocks of the superblock, the descriptors and what is reserved for those in a group. */
export function copiesBlocks(geometry: ExtGeometry, group: number): number {
  return hasCopies(group) ? 1 + geometry.descriptorBlocks + geometry.reservedDescriptorBlocks : 0;
}
