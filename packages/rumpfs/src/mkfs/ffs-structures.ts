/**
 * The structures of a new FFS as bytes: superblock, cylinder groups, counts, and the root. They are
 * those that `ffs/superblock.ts` and its neighbours describe; nothing of that is used here, so that
 * one does not repeat a mistake of the other.
 */
import { type FfsGeometry, groupMaps } from './ffs-geometry.ts';
import { LOG_INODE, logFields, logInode } from './ffs-log.ts';

const SUPERBLOCK_BYTES = 1376;
const MAGIC = { 1: 0x0001_1954, 2: 0x1954_0119 } as const;
const GROUP_MAGIC = 0x0009_0255;
const MINIMUM_FREE_PERCENT = 5;
const ROOT = 2;
const ROOT_MODE = 0x4000 | 0o755;
const ROOT_BYTES = 512;
/** UFS2 writes the other inodes when they are needed. */
const WRITTEN_INODE_BLOCKS = 2;

/** Counts of a group: directories, free blocks, free inodes, free fragments. */
export type Counts = readonly [number, number, number, number];

/** Who makes the file system, and when. */
export interface Origin {
  readonly nowMs: number;
  readonly id: number;
  readonly label: string;
}

class Writer {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly #little: boolean;

  constructor(lengthBytes: number, little: boolean) {
    this.bytes = new Uint8Array(lengthBytes);
    this.#view = new DataView(this.bytes.buffer);
    this.#little = little;
  }

  u16(at: number, value: number): void {
    this.#view.setUint16(at, value, this.#little);
  }

  u32(at: number, value: number): void {
    this.#view.setUint32(at, value, this.#little);
  }

  u64(at: number, value: number): void {
    this.#view.setBigInt64(at, BigInt(value), this.#little);
  }

  text(at: number, value: string): void {
    this.bytes.set(new TextEncoder().encode(value), at);
  }

  bit(at: number, bit: number): void {
    this.bytes[at + (bit >>> 3)] = (this.bytes[at + (bit >>> 3)] ?? 0) | (1 << (bit & 7));
  }
}

/** The fragment with the counts of the groups; behind them is that of the root. */
export function summaryAt(geometry: FfsGeometry): number {
  return geometry.dataAt;
}

export function rootFragment(geometry: FfsGeometry): number {
  return geometry.dataAt + geometry.summaryBytes / geometry.fsize;
}

export function fragmentsIn({ size, fpg }: FfsGeometry, group: number): number {
  return Math.min(fpg, size - group * fpg);
}

/** The number of inodes of a group that are written at once. */
export function writtenInodes({ version, ipg, inopb }: FfsGeometry): number {
  return version === 1 ? ipg : Math.min(ipg, WRITTEN_INODE_BLOCKS * inopb);
}

/** A superblock with these totals. */
export function superblock(geometry: FfsGeometry, origin: Origin, totals: Counts): Uint8Array {
  const { version, bsize, fsize, frag, size, groups, fpg, ipg } = geometry;
  const out = new Writer(SUPERBLOCK_BYTES, geometry.little);
  const fields: readonly (readonly [number, number])[] = [
    [8, geometry.superblockAt],
    [12, geometry.groupAt],
    [16, geometry.inodesAt],
    [20, geometry.dataAt],
    [44, groups],
    [48, bsize],
    [52, fsize],
    [56, frag],
    [60, MINIMUM_FREE_PERCENT],
    [72, -bsize >>> 0],
    [76, -fsize >>> 0],
    [80, Math.log2(bsize)],
    [84, Math.log2(fsize)],
    [88, geometry.maxcontig],
    [92, Math.max(1, Math.floor(bsize / 4))],
    [96, Math.log2(frag)],
    [100, Math.log2(fsize / 512)],
    [104, Math.ceil(SUPERBLOCK_BYTES / fsize) * fsize],
    [116, bsize / (version === 1 ? 4 : 8)],
    [120, geometry.inopb],
    [144, Math.floor(origin.nowMs / 1000)],
    [148, origin.id],
    [156, geometry.summaryBytes],
    [160, geometry.groupBytes],
    [184, ipg],
    [188, fpg],
    [860, bsize],
    [1196, 16_384],
    [1200, 64],
    [1316, geometry.clusterSizes],
    [1320, version === 1 ? 60 : 120],
    [1324, 2],
    [1372, MAGIC[version]],
  ];
  for (const [at, value] of fields) out.u32(at, value);
  // Unmounted cleanly, and the flags are in the new field.
  out.bytes[209] = 1;
  out.bytes[211] = 0x80;
  out.text(680, origin.label);
  const data = dataFragments(geometry);
  out.u64(1000, geometry.superblockByte);
  for (const [index, total] of totals.entries()) out.u64(1008 + index * 8, total);
  out.u64(1072, Math.floor(origin.nowMs / 1000));
  out.u64(1080, size);
  out.u64(1088, data);
  out.u64(1096, summaryAt(geometry));
  out.u64(1328, fileBytesMax(geometry));
  out.u64(1336, bsize - 1);
  out.u64(1344, fsize - 1);
  if (version === 1) oldFields(out, geometry, origin, totals, data);
  if (geometry.log !== undefined) {
    out.bytes[864] = 1;
    out.bytes[865] = geometry.log.location === 'end' ? 1 : 2;
    for (const [at, value] of logFields(geometry.log)) out.u64(at, value);
  }
  return out.bytes;
}

/** What UFS1 has in 32 bits as well, and of disks that turn. */
function oldFields(out: Writer, geometry: FfsGeometry, origin: Origin, totals: Counts, data: number): void {
  const sectors = (geometry.fpg * geometry.fsize) / 512;
  const fields: readonly (readonly [number, number])[] = [
    [28, 0xffff_ffff],
    [32, Math.floor(origin.nowMs / 1000)],
    [36, geometry.size],
    [40, data],
    [68, 60],
    [124, geometry.fsize / 512],
    [132, sectors],
    [136, 1],
    [152, summaryAt(geometry)],
    [168, sectors],
    [172, sectors],
    [176, geometry.groups],
    [180, 1],
    [1356, 1],
    [1360, 1],
  ];
  for (const [at, value] of fields) out.u32(at, value);
  for (const [index, total] of totals.entries()) out.u32(192 + index * 4, total);
}

function dataFragments(geometry: FfsGeometry): number {
  const { size, groups, dataAt, superblockAt } = geometry;
  // The first group has the boot area before its structures, the others have data there.
  return size - dataAt - (groups - 1) * (dataAt - superblockAt) - geometry.summaryBytes / geometry.fsize;
}

function fileBytesMax({ version, bsize }: FfsGeometry): number {
  const pointers = bsize / (version === 1 ? 4 : 8);
  const blocks = 12 + pointers + pointers ** 2 + pointers ** 3;
  return Math.min(blocks * bsize, Number.MAX_SAFE_INTEGER) - 1;
}

/** Whether a new file system has something at a fragment of a group. */
function isUsed(geometry: FfsGeometry, group: number, at: number): boolean {
  const { from, count } = geometry.log?.fragments ?? { from: 0, count: 0 };
  const fragment = group * geometry.fpg + at;
  if (fragment >= from && fragment < from + count) return true;
  if (group === 0) return at < geometry.dataAt + geometry.summaryBytes / geometry.fsize + 1;
  return at >= geometry.superblockAt && at < geometry.dataAt;
}

/** The free space of a new group: runs of fragments and of blocks by length, and the totals. */
interface FreeSpace {
  blocks: number;
  rest: number;
  readonly runs: number[];
  readonly clusters: number[];
}

/** Enters the free fragments and blocks of a group into its maps, and counts them. */
function enterFree(out: Writer, geometry: FfsGeometry, group: number): FreeSpace {
  const { version, frag, ipg, fpg, clusterSizes } = geometry;
  const maps = groupMaps(version, ipg, fpg, frag, clusterSizes);
  const fragments = fragmentsIn(geometry, group);
  const zeros = (length: number): number[] => Array.from({ length }, () => 0);
  const space: FreeSpace = { blocks: 0, rest: 0, runs: zeros(8), clusters: zeros(clusterSizes + 1) };
  const add = (counts: number[], length: number): void => {
    if (length > 0) counts[length] = (counts[length] ?? 0) + 1;
  };
  let cluster = 0;
  for (let block = 0; block < fragments; block += frag) {
    const lengths = freeRuns(out, geometry, group, block);
    if (lengths[0] === frag) {
      space.blocks += 1;
      cluster += 1;
      out.bit(maps.clusters, block / frag);
      continue;
    }
    for (const length of lengths) {
      add(space.runs, length);
      space.rest += length;
    }
    add(space.clusters, Math.min(cluster, clusterSizes));
    cluster = 0;
  }
  add(space.clusters, Math.min(cluster, clusterSizes));
  return space;
}

/** Enters the free fragments of one block into the map; the lengths of their runs. */
function freeRuns(out: Writer, geometry: FfsGeometry, group: number, block: number): number[] {
  const { version, frag, ipg, fpg, clusterSizes } = geometry;
  const maps = groupMaps(version, ipg, fpg, frag, clusterSizes);
  const end = Math.min(block + frag, fragmentsIn(geometry, group));
  const lengths: number[] = [];
  let run = 0;
  for (let at = block; at <= end; at += 1) {
    if (at < end && !isUsed(geometry, group, at)) {
      out.bit(maps.free, at);
      run += 1;
    } else {
      if (run > 0) lengths.push(run);
      run = 0;
    }
  }
  return lengths;
}

/** The inodes of the first group that are in use, from 0 on. */
function usedInodes({ log }: FfsGeometry): number {
  return log?.location === 'inside' ? LOG_INODE + 1 : ROOT + 1;
}

/** The structure of a group, and its counts. */
export function cylinderGroup(
  geometry: FfsGeometry,
  group: number,
  nowMs: number,
): { readonly bytes: Uint8Array; readonly counts: Counts } {
  const { version, frag, ipg, fpg, clusterSizes } = geometry;
  const out = new Writer(geometry.bsize, geometry.little);
  const maps = groupMaps(version, ipg, fpg, frag, clusterSizes);
  const fragments = fragmentsIn(geometry, group);
  const space = enterFree(out, geometry, group);
  const used = group === 0 ? usedInodes(geometry) : 0;
  for (let inode = 0; inode < used; inode += 1) out.bit(maps.inodes, inode);
  const counts: Counts = [group === 0 ? 1 : 0, space.blocks, ipg - used, space.rest];
  const fields: readonly (readonly [number, number])[] = [
    [4, GROUP_MAGIC],
    [12, group],
    [20, fragments],
    [92, maps.inodes],
    [96, maps.free],
    [100, maps.end],
    [104, maps.sums],
    [108, maps.clusters],
    [112, Math.floor(fragments / frag)],
  ];
  for (const [at, value] of fields) out.u32(at, value);
  for (const [index, count] of counts.entries()) out.u32(24 + index * 4, count);
  for (const [length, count] of space.runs.entries()) out.u32(52 + length * 4, count);
  for (const [length, count] of space.clusters.entries())
    if (length > 0) out.u32(maps.sums + length * 4, count);
  const seconds = Math.floor(nowMs / 1000);
  if (version === 1) {
    out.u32(8, seconds);
    out.u16(16, 1);
    out.u16(18, ipg);
    out.u32(84, 168);
    out.u32(88, 172);
  } else {
    out.u32(116, ipg);
    out.u32(120, writtenInodes(geometry));
    out.u64(136, seconds);
  }
  return { bytes: out.bytes, counts };
}

/** The counts of all groups. */
export function summary(geometry: FfsGeometry, counts: readonly Counts[]): Uint8Array {
  const out = new Writer(geometry.summaryBytes, geometry.little);
  for (const [group, four] of counts.entries())
    for (const [index, count] of four.entries()) out.u32(group * 16 + index * 4, count);
  return out.bytes;
}

/** An inode of a new file system. */
interface FirstInode {
  readonly mode: number;
  readonly links: number;
  readonly flags: number;
  readonly sizeBytes: number;
  readonly sectors: number;
  readonly pointers: readonly number[];
}

/** The first block of inodes, with those of the root and of the log. */
export function firstInodes(geometry: FfsGeometry, { nowMs }: Origin): Uint8Array {
  const out = new Writer(geometry.bsize, geometry.little);
  const seconds = Math.floor(nowMs / 1000);
  const root = {
    mode: ROOT_MODE,
    links: 2,
    flags: 0,
    sizeBytes: ROOT_BYTES,
    sectors: geometry.fsize / 512,
    pointers: [rootFragment(geometry)],
  };
  putInode(out, geometry, ROOT, root, seconds);
  const { log } = geometry;
  if (log?.location === 'inside')
    putInode(out, geometry, LOG_INODE, { ...logInode(geometry, log), links: 1 }, seconds);
  return out.bytes;
}

function putInode(
  out: Writer,
  { version, inodeBytes, bsize }: FfsGeometry,
  id: number,
  { mode, links, flags, sizeBytes, sectors, pointers }: FirstInode,
  seconds: number,
): void {
  const at = id * inodeBytes;
  out.u16(at, mode);
  out.u16(at + 2, links);
  if (version === 1) {
    out.u64(at + 8, sizeBytes);
    for (const time of [16, 24, 32]) out.u32(at + time, seconds);
    for (const [index, pointer] of pointers.entries()) out.u32(at + 40 + index * 4, pointer);
    out.u32(at + 100, flags);
    out.u32(at + 104, sectors);
  } else {
    out.u32(at + 12, bsize);
    out.u64(at + 16, sizeBytes);
    out.u64(at + 24, sectors);
    for (const time of [32, 40, 48, 56]) out.u64(at + time, seconds);
    out.u32(at + 88, flags);
    for (const [index, pointer] of pointers.entries()) out.u64(at + 112 + index * 8, pointer);
  }
}

/** The pointer blocks of a log that is a file, one behind the other. */
export function logPointerBlocks(geometry: FfsGeometry): Uint8Array {
  const { log, bsize, version, little } = geometry;
  const blocks = log === undefined ? [] : logInode(geometry, log).pointerBlocks;
  const out = new Writer(blocks.length * bsize, little);
  for (const [block, pointers] of blocks.entries())
    for (const [index, pointer] of pointers.entries())
      if (version === 1) out.u32(block * bsize + index * 4, pointer);
      else out.u64(block * bsize + index * 8, pointer);
  return out.bytes;
}

/** The fragment of the root: a piece with `.` and `..`, and empty ones. */
export function rootDirectory({ fsize, little }: FfsGeometry): Uint8Array {
  const out = new Writer(fsize, little);
  const entry = (at: number, length: number, inode: number, name: string): void => {
    out.u32(at, inode);
    out.u16(at + 4, length);
    out.bytes[at + 6] = inode === 0 ? 0 : 4;
    out.bytes[at + 7] = name.length;
    out.text(at + 8, name);
  };
  entry(0, 12, ROOT, '.');
  entry(12, ROOT_BYTES - 12, ROOT, '..');
  for (let at = ROOT_BYTES; at < fsize; at += ROOT_BYTES) entry(at, ROOT_BYTES, 0, '');
  return out.bytes;
}
