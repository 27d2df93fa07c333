/**
 * The fifth pass: the bitmaps, the counts of the groups and the totals, compared with what was
 * found to be in use. A block that somebody has, but that is marked as free, is in danger.
 */
import { castagnoli } from '../crc.ts';
import { PagedBits } from './claims.ts';
import type { Context } from './context.ts';
import { BLOCKS_UNUSED, type Group, INODES_UNUSED } from './groups.ts';

/** What was counted in all groups. */
interface Totals {
  freeClusters: number;
  freeInodes: number;
}

export async function checkBitmaps(context: Context): Promise<void> {
  const { geometry, groups, inodes, found } = context;
  const used = new PagedBits();
  const directories = new Map<number, number>();
  for (let id = 1; id < geometry.firstInode; id += 1) used.set(id - 1);
  for (const id of inodes.used()) {
    used.set(id - 1);
    const group = Math.floor((id - 1) / geometry.inodesPerGroup);
    if (inodes.kind(id) === 'directory') directories.set(group, (directories.get(group) ?? 0) + 1);
  }
  const totals: Totals = { freeClusters: 0, freeInodes: 0 };
  for (const [number, group] of groups.entries()) {
    await checkBlocks(context, number, group, totals);
    await checkInodes(context, number, group, used, totals);
    const counted = directories.get(number) ?? 0;
    if (group.directories !== counted)
      found.harmless(`group ${number}: ${group.directories} directories, but has ${counted}`);
  }
  const wide = geometry.needs('wide') ? geometry.long(344) * 2 ** 32 : 0;
  const [saidBlocks, freeBlocks] = [geometry.long(12) + wide, totals.freeClusters * geometry.ratio];
  if (saidBlocks !== freeBlocks)
    found.harmless(`superblock: ${saidBlocks} free blocks, but there are ${freeBlocks}`);
  if (geometry.long(16) !== totals.freeInodes)
    found.harmless(`superblock: ${geometry.long(16)} free inodes, but there are ${totals.freeInodes}`);
}

async function checkBlocks(context: Context, number: number, group: Group, totals: Totals): Promise<void> {
  const { geometry, disk, found, claims } = context;
  const clusters = geometry.groupClusters(number);
  const base = number * geometry.clustersPerGroup;
  const what = `group ${number}: block bitmap`;
  let free = 0;
  for (let index = 0; index < clusters; index += 1) if (!claims.used.get(base + index)) free += 1;
  totals.freeClusters += free;
  if (group.freeClusters !== free)
    found.harmless(`group ${number}: ${group.freeClusters} free blocks, but has ${free}`);
  if ((group.flags & BLOCKS_UNUSED) !== 0) {
    const others = clusters - free - structuresIn(context, base, clusters);
    if (others > 0) found.damage(`${what}: is not initialised, but ${others} blocks are in use`);
    return;
  }
  const bytes = await disk.block(group.blockBitmap, what);
  if (bytes === undefined) return;
  checkSum(context, bytes, geometry.clustersPerGroup / 8, group.blockBitmapChecksum, what);
  const name = (index: number): number => geometry.groupStart(number) + index * geometry.ratio;
  compare(context, bytes, clusters, (byte) => claims.used.byte(base / 8 + byte), {
    what,
    noun: 'blocks',
    name,
  });
  checkPadding(context, bytes, clusters, what);
}

function structuresIn({ claims, geometry }: Context, base: number, clusters: number): number {
  let count = 0;
  for (let index = 0; index < clusters; index += 1)
    if (claims.isStructure(geometry.firstBlock + (base + index) * geometry.ratio)) count += 1;
  return count;
}

async function checkInodes(
  context: Context,
  number: number,
  group: Group,
  used: PagedBits,
  totals: Totals,
): Promise<void> {
  const { geometry, disk, found } = context;
  const { inodesPerGroup } = geometry;
  const base = number * inodesPerGroup;
  const what = `group ${number}: inode bitmap`;
  let free = 0;
  for (let index = 0; index < inodesPerGroup; index += 1) if (!used.get(base + index)) free += 1;
  totals.freeInodes += free;
  if (group.freeInodes !== free)
    found.harmless(`group ${number}: ${group.freeInodes} free inodes, but has ${free}`);
  if ((group.flags & INODES_UNUSED) !== 0) return;
  const bytes = await disk.block(group.inodeBitmap, what);
  if (bytes === undefined) return;
  checkSum(context, bytes, inodesPerGroup / 8, group.inodeBitmapChecksum, what);
  const name = (index: number): number => base + index + 1;
  compare(context, bytes, inodesPerGroup, (byte) => used.byte(base / 8 + byte), {
    what,
    noun: 'inodes',
    name,
  });
  checkPadding(context, bytes, inodesPerGroup, what);
}

function checkSum(
  { geometry, found }: Context,
  bytes: Uint8Array,
  length: number,
  said: number,
  what: string,
): void {
  if (!geometry.checksums) return;
  const crc = castagnoli(geometry.seed, bytes.subarray(0, length));
  if (said !== (geometry.descriptorBytes >= 64 ? crc : crc & 0xffff)) found.damage(`${what}: wrong checksum`);
}

interface Naming {
  readonly what: string;
  readonly noun: string;
  name(index: number): number;
}

/** Names the runs of bits that differ. */
function compare(
  { found }: Context,
  bytes: Uint8Array,
  bits: number,
  expectedByte: (byte: number) => number,
  { what, noun, name }: Naming,
): void {
  let run: { readonly first: number; readonly used: boolean } | undefined;
  const end = (index: number): void => {
    if (run === undefined) return;
    const range = `${noun} ${name(run.first)} to ${name(index - 1)}`;
    if (run.used) found.damage(`${what}: ${range} are in use, but marked as free`);
    else found.harmless(`${what}: ${range} are marked as in use, but belong to nothing`);
    run = undefined;
  };
  for (let index = 0; index < bits; index += 1) {
    const [said, expected] = [bytes[index >> 3] ?? 0, expectedByte(index >> 3)];
    if (index % 8 === 0 && said === expected && run === undefined) {
      index += 7;
      continue;
    }
    const bit = 1 << (index % 8);
    const differs = (said & bit) !== (expected & bit);
    if (!differs || run?.used !== ((expected & bit) !== 0)) end(index);
    if (differs) run ??= { first: index, used: (expected & bit) !== 0 };
  }
  end(bits);
}

/** Bits behind the last one are set, so that nobody takes what is not there. */
function checkPadding({ found }: Context, bytes: Uint8Array, bits: number, what: string): void {
  for (let index = bits; index < bytes.length * 8; index += 1) {
    if (index % 8 === 0 && bytes[index >> 3] === 0xff) index += 7;
    else if (((bytes[index >> 3] ?? 0) & (1 << (index % 8))) === 0) {
      found.harmless(`${what}: the bits behind its end are not set`);
      return;
    }
  }
}
