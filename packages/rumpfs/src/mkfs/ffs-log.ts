/**
 * The log of WAPBL in a new FFS. NetBSD gives it a thousandth of the file system, from 1 to 64 MiB,
 * and puts it behind the file system, or into a file without a name in the middle group: first its
 * pointer blocks, then the log, side by side. Here it is large enough for the longest operations,
 * too. It has no headers yet: whoever uses it first makes them.
 */
import { refusal } from './ffs-refusal.ts';

/** The places where a log can be. */
export const JOURNAL_LOCATIONS = ['end', 'inside'] as const;
export type JournalLocation = (typeof JOURNAL_LOCATIONS)[number];

/** The inode of a log that is a file. */
export const LOG_INODE = 3;
const LOG_MODE = 0x8000;
/** The flag of an inode that is a log. */
const LOG_FLAG = 0x0040_0000;
const MIB = 1024 * 1024;
const DEVICE_PART = 1024;
const BYTES_MIN = 64 * 1024;
const BYTES_MAX = 64 * MIB;
/** The blocks of a log in which every operation fits. */
const BLOCKS_USUAL = 192;
const DIRECT = 12;

/** The file system around a log: see `FfsGeometry`. */
interface Surroundings {
  readonly version: 1 | 2;
  readonly bsize: number;
  readonly fsize: number;
  readonly frag: number;
  readonly size: number;
  readonly groups: number;
  readonly fpg: number;
  readonly dataAt: number;
  readonly summaryBytes: number;
}

/** A log in a new file system. */
export interface FfsLog {
  readonly location: JournalLocation;
  /** The byte of the device at which it begins. */
  readonly at: number;
  readonly lengthBytes: number;
  readonly blockBytes: number;
  /** The fragments of a log that is a file, its pointer blocks included. */
  readonly fragments: { readonly from: number; readonly count: number };
  readonly pointerBlocks: number;
}

/** What the length of a log is chosen by. */
interface LogWishes {
  readonly journal?: JournalLocation | undefined;
  readonly journalBytes?: number | undefined;
}

/** The bytes of a log that is wished for; 0 for none. Throws `InvalidArgument`. */
export function logBytesFor(
  { journal, journalBytes }: LogWishes,
  { deviceBytes, bsize, fsize }: { deviceBytes: number; bsize: number; fsize: number },
): number {
  if (journal === undefined) {
    if (journalBytes !== undefined) throw refusal('the bytes of a journal, but no journal');
    return 0;
  }
  const least = Math.max(MIB, BLOCKS_USUAL * bsize, Math.floor(deviceBytes / DEVICE_PART));
  const wanted = journalBytes ?? Math.min(BYTES_MAX, least);
  if (!Number.isSafeInteger(wanted) || wanted < BYTES_MIN)
    throw refusal(`a journal of ${wanted} bytes: it has at least ${BYTES_MIN}`);
  const unit = journal === 'end' ? fsize : bsize;
  return Math.ceil(wanted / unit) * unit;
}

/** Where the log is. Throws `InvalidArgument` where there is no room for it. */
export function placeLog(
  geometry: Surroundings,
  location: JournalLocation,
  logBytes: number,
  deviceBytes: number,
  sectorBytes: number,
): FfsLog {
  const { bsize, fsize, frag, size, groups, fpg, dataAt, summaryBytes } = geometry;
  const blockBytes = Math.max(512, sectorBytes);
  if (location === 'end') {
    const at = size * fsize;
    const lengthBytes = Math.floor((deviceBytes - at) / blockBytes) * blockBytes;
    return { location, at, lengthBytes, blockBytes, fragments: { from: 0, count: 0 }, pointerBlocks: 0 };
  }
  const blocks = logBytes / bsize;
  const pointerBlocks = pointerBlocksFor(geometry, blocks);
  const group = Math.floor(groups / 2);
  // The first group has the counts of all and the root there.
  const taken = group === 0 ? Math.ceil((summaryBytes / fsize + 1) / frag) * frag : 0;
  const from = group * fpg + dataAt + taken;
  const count = (pointerBlocks + blocks) * frag;
  const end = Math.min((group + 1) * fpg, size);
  if (from + count > end - frag) throw refusal(`a journal of ${logBytes} bytes has no room in a group`);
  const at = (from + pointerBlocks * frag) * fsize;
  return { location, at, lengthBytes: logBytes, blockBytes, fragments: { from, count }, pointerBlocks };
}

function pointerBlocksFor({ bsize, version }: Surroundings, blocks: number): number {
  const perBlock = bsize / (version === 1 ? 4 : 8);
  if (blocks <= DIRECT) return 0;
  if (blocks <= DIRECT + perBlock) return 1;
  return 2 + Math.ceil((blocks - DIRECT - perBlock) / perBlock);
}

/** The fields of the superblock that lead to the log: 64 bits at each place. */
export function logFields({
  location,
  at,
  lengthBytes,
  blockBytes,
}: FfsLog): readonly (readonly [number, number])[] {
  return [
    [872, at / blockBytes],
    [880, lengthBytes / blockBytes],
    [888, blockBytes],
    [896, location === 'inside' ? LOG_INODE : 0],
  ];
}

/** What the inode of a log that is a file says. */
export interface LogInode {
  readonly mode: number;
  readonly flags: number;
  readonly sizeBytes: number;
  readonly sectors: number;
  /** The pointers of the inode, fifteen of them. */
  readonly pointers: readonly number[];
  /** The pointers in each of its pointer blocks. */
  readonly pointerBlocks: readonly (readonly number[])[];
}

/** The inode of the log, with what its pointer blocks have. */
export function logInode({ bsize, fsize, frag, version }: Surroundings, log: FfsLog): LogInode {
  const perBlock = bsize / (version === 1 ? 4 : 8);
  const { from, count } = log.fragments;
  const data = Array.from(
    { length: count / frag - log.pointerBlocks },
    (_unused, index) => from + (log.pointerBlocks + index) * frag,
  );
  const pointers = Array.from({ length: DIRECT + 3 }, (_unused, index) =>
    index < DIRECT ? (data[index] ?? 0) : 0,
  );
  const leaves: (readonly number[])[] = [];
  for (let first = DIRECT; first < data.length; first += perBlock)
    leaves.push(data.slice(first, first + perBlock));
  const blockAt = (index: number): number => from + index * frag;
  const [single, ...others] = leaves;
  const pointerBlocks: (readonly number[])[] = single === undefined ? [] : [single];
  if (single !== undefined) pointers[DIRECT] = blockAt(0);
  if (others.length > 0) {
    pointers[DIRECT + 1] = blockAt(1);
    pointerBlocks.push(
      others.map((_unused, index) => blockAt(2 + index)),
      ...others,
    );
  }
  const sectors = (count * fsize) / 512;
  return { mode: LOG_MODE, flags: LOG_FLAG, sizeBytes: log.lengthBytes, sectors, pointers, pointerBlocks };
}
