/**
 * The descriptors of the groups, and the blocks that the file system itself takes: superblocks,
 * descriptors, bitmaps and inode tables, which must lie beside each other, not in each other.
 */
import { castagnoli, castagnoliOf, crcSixteen } from '../crc.ts';
import type { Claims } from './claims.ts';
import { type Disk, viewOf } from './disk.ts';
import type { Geometry } from './geometry.ts';

export const INODES_UNUSED = 1;
export const BLOCKS_UNUSED = 2;

/** The descriptor of a group. Counts are as it says. */
export interface Group {
  readonly blockBitmap: number;
  readonly inodeBitmap: number;
  readonly table: number;
  readonly freeClusters: number;
  readonly freeInodes: number;
  readonly directories: number;
  readonly flags: number;
  /** Inodes at the end of the table that were never used. */
  readonly unusedInodes: number;
  readonly blockBitmapChecksum: number;
  readonly inodeBitmapChecksum: number;
}

/** Reads all descriptors, with findings. Undefined where a block of them cannot be read. */
export async function readGroups(disk: Disk, geometry: Geometry): Promise<readonly Group[] | undefined> {
  const { blockBytes, descriptorBytes, groups } = geometry;
  const list: Group[] = [];
  for (let index = 0; index < geometry.descriptorBlocks; index += 1) {
    const block = await disk.block(geometry.descriptorBlock(index), 'group descriptors');
    if (block === undefined) return undefined;
    for (let at = 0; at + descriptorBytes <= blockBytes && list.length < groups; at += descriptorBytes) {
      const bytes = block.slice(at, at + descriptorBytes);
      if (geometry.describesUnused) checkDescriptor(disk, geometry, list.length, bytes);
      list.push(decoded(geometry, bytes));
    }
  }
  return list;
}

function decoded(geometry: Geometry, bytes: Uint8Array): Group {
  const view = viewOf(bytes);
  const wide = geometry.descriptorBytes >= 64;
  const long = (low: number, high: number): number =>
    view.getUint32(low, true) + (wide ? view.getUint32(high, true) : 0) * 2 ** 32;
  const short = (low: number, high: number): number =>
    view.getUint16(low, true) + (wide ? view.getUint16(high, true) : 0) * 2 ** 16;
  const unused = geometry.describesUnused;
  return {
    blockBitmap: long(0, 32),
    inodeBitmap: long(4, 36),
    table: long(8, 40),
    freeClusters: short(12, 44),
    freeInodes: short(14, 46),
    directories: short(16, 48),
    flags: unused ? view.getUint16(18, true) : 0,
    unusedInodes: unused ? Math.min(short(28, 50), geometry.inodesPerGroup) : 0,
    blockBitmapChecksum: short(24, 56),
    inodeBitmapChecksum: short(26, 58),
  };
}

function checkDescriptor(disk: Disk, geometry: Geometry, group: number, bytes: Uint8Array): void {
  const found = viewOf(bytes).getUint16(30, true);
  const expected = geometry.checksums
    ? newChecksum(geometry, group, bytes)
    : oldChecksum(geometry, group, bytes);
  if (found === expected) return;
  const block = geometry.descriptorBlock(
    Math.floor((group * geometry.descriptorBytes) / geometry.blockBytes),
  );
  disk.found.damage(`group ${group}: descriptor in block ${block}: wrong checksum`);
}

function newChecksum(geometry: Geometry, group: number, bytes: Uint8Array): number {
  const zeroed = bytes.slice();
  zeroed.fill(0, 30, 32);
  return castagnoli(castagnoliOf(geometry.seed, group), zeroed) & 0xffff;
}

function oldChecksum(geometry: Geometry, group: number, bytes: Uint8Array): number {
  const number = Uint8Array.of(group, group >>> 8, group >>> 16, group >>> 24);
  let crc = crcSixteen(crcSixteen(0xffff, geometry.bytes.subarray(104, 120)), number);
  crc = crcSixteen(crc, bytes.subarray(0, 30));
  return bytes.length > 32 ? crcSixteen(crc, bytes.subarray(32)) : crc;
}

interface Extent {
  readonly first: number;
  readonly count: number;
  readonly what: string;
}

/**
 * Claims the blocks of all structures. False where they make no sense, and a walk would neither.
 */
export function claimStructures(
  disk: Disk,
  geometry: Geometry,
  groups: readonly Group[],
  claims: Claims,
): boolean {
  let usable = true;
  const structures: Extent[] = [...copies(geometry)];
  for (const [number, group] of groups.entries()) {
    for (const [what, first, count] of [
      ['block bitmap', group.blockBitmap, 1],
      ['inode bitmap', group.inodeBitmap, 1],
      ['inode table', group.table, geometry.tableBlocks],
    ] as const) {
      if (liesInside(geometry, number, first, count)) {
        structures.push({ first, count, what: `group ${number}: ${what}` });
      } else {
        disk.found.damage(`group ${number}: ${what} at block ${first} lies outside`);
        usable = false;
      }
    }
  }
  let last: Extent = { first: 0, count: 0, what: '' };
  for (const one of structures.toSorted((left, right) => left.first - right.first)) {
    if (one.first < last.first + last.count)
      disk.found.damage(`${one.what} at block ${one.first} overlaps with ${last.what}`);
    if (one.first + one.count > last.first + last.count) last = one;
    claims.takeStructure(one.first, one.count);
  }
  return usable;
}

function liesInside(geometry: Geometry, group: number, first: number, count: number): boolean {
  if (geometry.needs('flexGroups')) return geometry.inside(first, count);
  const start = geometry.groupStart(group);
  return first >= Math.max(1, start) && first + count <= start + geometry.groupBlocks(group);
}

/** Superblocks, descriptors, and the blocks that are kept for more of these. */
function* copies(geometry: Geometry): Generator<Extent> {
  const behind = geometry.oldDescriptorBlocks + geometry.reservedBlocks;
  const perBlock = geometry.blockBytes / geometry.descriptorBytes;
  for (let group = 0; group < geometry.groups; group += 1) {
    const first = geometry.copyBlock(group);
    const copy = geometry.hasCopy(group);
    const meta = Math.floor(group / perBlock) >= geometry.oldDescriptorBlocks;
    const room = geometry.groupStart(group) + geometry.groupBlocks(group) - first;
    const place = group % perBlock;
    const described = meta && (place < 2 || place === perBlock - 1) ? 1 : 0;
    const count = copy ? 1 + (meta ? described : behind) : described;
    if (count > 0)
      yield { first, count: Math.min(count, room), what: `group ${group}: copy of the superblock` };
  }
}
