import { FsError } from '../errors.ts';
import type { NodeType } from '../vnode/attributes.ts';
import { type Disc, SECTOR_BYTES } from './disc.ts';
import { type CdRecord, readRecord, RECORD_FLAG } from './record.ts';
import { readSystemUse, type SystemUse } from './system-use.ts';

/** A larger directory makes no sense: a million entries fit. */
const DIRECTORY_BYTES_MAX = 256 * 1024 * 1024;
/** A file is in at most so many extents: 2 TiB. */
const EXTENTS_MAX = 1024;

/** Data of a file that lies in one piece, in bytes of the device. */
export interface Extent {
  readonly start: number;
  readonly sizeBytes: number;
}

/** An entry of a directory. */
export interface CdEntry {
  readonly record: CdRecord;
  readonly use: SystemUse;
  readonly name: string;
  readonly type: NodeType;
  readonly extents: readonly Extent[];
  /**
   * The number of the node. A directory is known by the byte where it begins, a file by the one
   * behind the start of its record, which is odd.
   */
  readonly id: number;
  /** The byte of the directory behind the entry's records. */
  readonly next: number;
}

/** The place of a directory. */
export interface DirectoryPlace {
  readonly start: number;
  readonly sizeBytes: number;
}

export function requireDirectory(disc: Disc, { start, sizeBytes }: DirectoryPlace): void {
  const owner = `directory at byte ${start}`;
  if (sizeBytes > DIRECTORY_BYTES_MAX || start % SECTOR_BYTES !== 0)
    throw disc.corrupt(`${owner}: ${sizeBytes} bytes`);
  disc.requireBytes(start, sizeBytes, owner);
}

/** The entry at byte `from` of a directory or behind it; undefined at the end. */
export async function nextEntry(
  disc: Disc,
  place: DirectoryPlace,
  from: number,
): Promise<CdEntry | undefined> {
  for (let at = from; at < place.sizeBytes; ) {
    const found = await recordAt(disc, place, at);
    if (found === undefined) {
      at = (Math.floor(at / SECTOR_BYTES) + 1) * SECTOR_BYTES;
      continue;
    }
    const { record, use } = found;
    if (
      record.name === '.' ||
      record.name === '..' ||
      (record.flags & RECORD_FLAG.associated) !== 0 ||
      use.moved
    ) {
      at += record.length;
      continue;
    }
    return entryFrom(disc, place, at, found);
  }
  return undefined;
}

/** The first records of a directory: itself, and the one above. */
export async function dotRecords(
  disc: Disc,
  start: number,
): Promise<{ readonly self: FoundRecord; readonly above: FoundRecord | undefined }> {
  const place = { start, sizeBytes: SECTOR_BYTES };
  requireDirectory(disc, place);
  const self = await recordAt(disc, place, 0);
  if (self?.record.name !== '.') throw disc.corrupt(`directory at byte ${start}: does not begin with itself`);
  const above = await recordAt(disc, place, self.record.length);
  return { self, above: above?.record.name === '..' ? above : undefined };
}

/** The entry whose first record is at a byte of the device. */
export async function entryAt(disc: Disc, position: number): Promise<CdEntry> {
  disc.requireBytes(position, 1, `record at byte ${position}`);
  const start = Math.floor(position / SECTOR_BYTES) * SECTOR_BYTES;
  // Where the directory ends does not matter: the records of one entry follow each other.
  const place = { start, sizeBytes: Math.min(disc.deviceBytes - start, EXTENTS_MAX * SECTOR_BYTES) };
  const found = await recordAt(disc, place, position - start);
  if (found === undefined) throw disc.corrupt(`record at byte ${position}: there is none`);
  return entryFrom(disc, place, position - start, found);
}

interface FoundRecord {
  readonly record: CdRecord;
  readonly use: SystemUse;
}

/** The record at byte `at` of a directory; undefined where the rest of the sector is unused. */
async function recordAt(disc: Disc, place: DirectoryPlace, at: number): Promise<FoundRecord | undefined> {
  const position = place.start + at;
  const buffer = await disc.sectorAt(position);
  const offset = position % SECTOR_BYTES;
  if ((buffer.bytes[offset] ?? 0) === 0) return undefined;
  const record = readRecord(disc, buffer.bytes, offset, position);
  const begin = offset + record.systemUse + (disc.names === 'rock-ridge' ? disc.skipBytes : 0);
  const area =
    disc.names === 'rock-ridge' && begin < offset + record.length
      ? buffer.bytes.slice(begin, offset + record.length)
      : NO_AREA;
  return { record, use: await readSystemUse(disc, area, `record at byte ${position}`) };
}

const NO_AREA = new Uint8Array(0);

async function entryFrom(
  disc: Disc,
  place: DirectoryPlace,
  at: number,
  found: FoundRecord,
): Promise<CdEntry> {
  const { record, use } = found;
  const extents: Extent[] = [{ start: record.start, sizeBytes: record.sizeBytes }];
  let next = at + record.length;
  let last = record;
  while ((last.flags & RECORD_FLAG.more) !== 0) {
    const following = await followingRecord(disc, place, next);
    if (following === undefined || extents.length === EXTENTS_MAX) {
      throw disc.corrupt(`record at byte ${record.position}: its last extent is missing`);
    }
    last = following.record;
    extents.push({ start: last.start, sizeBytes: last.sizeBytes });
    next = last.position - place.start + last.length;
  }
  if (record.interleaved)
    throw new FsError('NotSupported', 'cd9660: a file that is interleaved with another');
  const isDirectory = use.childBlock !== undefined || (record.flags & RECORD_FLAG.directory) !== 0;
  const start = use.childBlock === undefined ? record.start : use.childBlock * disc.blockBytes;
  const type = isDirectory ? 'directory' : (use.type ?? 'file');
  return {
    record,
    use,
    name: use.name ?? record.name,
    type: type === 'directory' && !isDirectory ? 'file' : type,
    extents,
    id: isDirectory ? start : record.position + 1,
    next,
  };
}

async function followingRecord(
  disc: Disc,
  place: DirectoryPlace,
  from: number,
): Promise<FoundRecord | undefined> {
  if (from >= place.sizeBytes) return undefined;
  const here = await recordAt(disc, place, from);
  if (here !== undefined) return here;
  const next = (Math.floor(from / SECTOR_BYTES) + 1) * SECTOR_BYTES;
  return next < place.sizeBytes ? recordAt(disc, place, next) : undefined;
}
