/** Makes an FFS: UFS1 or UFS2, in either byte order, with all sizes of blocks and fragments. */
import { FsError } from '../errors.ts';
import { type FfsGeometry, ffsGeometry, type FfsWishes } from './ffs-geometry.ts';
import {
  type Counts,
  cylinderGroup,
  firstInodes,
  logPointerBlocks,
  type Origin,
  rootDirectory,
  rootFragment,
  summary,
  summaryAt,
  superblock,
  writtenInodes,
} from './ffs-structures.ts';
import { type FormatDevice, type FormatWorld, FormatWriter } from './format-device.ts';

/** The wishes for an FFS. */
export interface FfsOptions extends FfsWishes {
  /** At most 32 letters, digits, hyphens, dots and underscores. */
  readonly label?: string | undefined;
}

const LABEL = /^[A-Za-z0-9._-]{0,32}$/;
/** Up to the end of the last place where a superblock is looked for. */
const CLEARED_BYTES = 262_144 + 8192;

/** Makes the file system. Rejects with `FsError`. */
export async function makeFfs(device: FormatDevice, options: FfsOptions, world: FormatWorld): Promise<void> {
  const writer = new FormatWriter(device);
  const label = options.label ?? '';
  if (!LABEL.test(label))
    throw new FsError('InvalidArgument', `"${label}" is no label of an FFS: at most 32 of A-Z a-z 0-9 . _ -`);
  const geometry = ffsGeometry(writer.sizeBytes, device.sectorSizeBytes, options);
  const { fsize } = geometry;
  const id = new Uint32Array(1);
  world.random(new Uint8Array(id.buffer));
  const origin: Origin = { nowMs: world.nowMs, id: id[0] ?? 0, label };
  const end = Math.floor(writer.sizeBytes / device.sectorSizeBytes) * device.sectorSizeBytes;
  await writer.zero(0, Math.min(end, CLEARED_BYTES));
  const counts: Counts[] = [];
  for (let group = 0; group < geometry.groups; group += 1) {
    counts.push(await makeGroup(writer, geometry, group, world.nowMs));
    world.progress?.((0.9 * (group + 1)) / geometry.groups);
  }
  const totals = sum(counts);
  await writer.write(geometry.inodesAt * fsize, firstInodes(geometry, origin));
  await makeLog(writer, geometry);
  await writer.write(rootFragment(geometry) * fsize, rootDirectory(geometry));
  await writer.write(summaryAt(geometry) * fsize, summary(geometry, counts));
  // What says that there is a file system is written last, the first superblock at the very end.
  const bytes = inFragments(superblock(geometry, origin, totals), Math.max(fsize, device.sectorSizeBytes));
  for (let group = geometry.groups - 1; group >= 0; group -= 1)
    await writer.write((group * geometry.fpg + geometry.superblockAt) * fsize, bytes);
  await writer.sync();
  await writer.write(geometry.superblockByte, bytes);
  await writer.sync();
  world.progress?.(1);
}

/** Writes the structures of a group but its superblock. Resolves to its counts. */
async function makeGroup(
  writer: FormatWriter,
  geometry: FfsGeometry,
  group: number,
  nowMs: number,
): Promise<Counts> {
  const { fsize, fpg, inodesAt, groupAt, inodeBytes } = geometry;
  const start = group * fpg;
  const { bytes, counts } = cylinderGroup(geometry, group, nowMs);
  await writer.zero((start + inodesAt) * fsize, writtenInodes(geometry) * inodeBytes);
  await writer.write((start + groupAt) * fsize, bytes);
  return counts;
}

/** Writes what leads to a log, and empties the place of its headers. */
async function makeLog(writer: FormatWriter, geometry: FfsGeometry): Promise<void> {
  const { log, fsize } = geometry;
  if (log === undefined) return;
  const pointers = logPointerBlocks(geometry);
  if (pointers.length > 0) await writer.write(log.fragments.from * fsize, pointers);
  await writer.zero(log.at, 2 * log.blockBytes);
}

function sum(counts: readonly Counts[]): Counts {
  const total = (index: 0 | 1 | 2 | 3): number => counts.reduce((before, four) => before + four[index], 0);
  return [total(0), total(1), total(2), total(3)];
}

/** The bytes, with zeros up to whole units behind them. */
function inFragments(bytes: Uint8Array, unit: number): Uint8Array {
  const whole = new Uint8Array(Math.ceil(bytes.length / unit) * unit);
  whole.set(bytes);
  return whole;
}
