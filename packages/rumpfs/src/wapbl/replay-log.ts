import { FsError, messageOf } from '../errors.ts';
import type { BlockIo } from '../hypercall/hypercalls.ts';
import { readBytes } from '../hypercall/read-bytes.ts';
import { encodeHeader, formOf, type LogPlace } from './log-header.ts';
import type { ScannedLog } from './scan-log.ts';

/** A list of inodes that takes more of the ring than this part does not stay. */
const KEPT_PART = 4;

/** What is in a log after its replay. */
export interface LogRest {
  readonly generation: number;
  readonly newest: 0 | 1;
  readonly head: number;
  readonly tail: number;
}

/**
 * Brings what a log has to its places, and empties the log when that is durable, but for the list
 * of inodes that may have no name: it stays until they are freed. Rejects with `InputOutput`; then
 * it can be done again.
 *
 * @param unnamedMax a longer list does not stay; 0 for none
 */
export async function replayLog(
  bio: BlockIo,
  place: LogPlace,
  scan: ScannedLog,
  nowMs: number,
  unnamedMax: number,
): Promise<LogRest> {
  const { header, index } = scan.newest;
  const { ringBytes } = header;
  const listBytes = (header.head - (scan.inodesAt ?? header.head) + ringBytes) % ringBytes;
  const few = scan.inodes.length <= unnamedMax && listBytes <= ringBytes / KEPT_PART;
  const keeps = scan.inodes.length > 0 && scan.inodesAt !== undefined && few;
  const rest: LogRest = {
    generation: header.generation + 1,
    newest: index === 0 ? 1 : 0,
    head: keeps ? header.head : 0,
    tail: keeps ? (scan.inodesAt ?? 0) : 0,
  };
  try {
    for (const [first, at] of scan.pieces)
      await bio.write(first / bio.sectorSizeBytes, await pieceOf(bio, place, scan, at));
    await bio.sync();
    const bytes = encodeHeader(formOf(header, place), { ...rest, nowMs });
    await bio.write((place.at + rest.newest * place.blockBytes) / bio.sectorSizeBytes, bytes);
    await bio.sync();
    return rest;
  } catch (error) {
    if (error instanceof FsError) throw error;
    throw new FsError('InputOutput', `wapbl: the log cannot be replayed: ${messageOf(error)}`);
  }
}

/** The contents of a piece; they may go on at the beginning of the ring. */
async function pieceOf(
  bio: BlockIo,
  place: LogPlace,
  { newest: { header } }: ScannedLog,
  at: number,
): Promise<Uint8Array> {
  const { pieceBytes, ringAt, ringBytes } = header;
  const before = Math.min(pieceBytes, ringAt + ringBytes - at);
  const bytes = new Uint8Array(pieceBytes);
  bytes.set(await readBytes(bio, place.at + at, before));
  if (before < pieceBytes) bytes.set(await readBytes(bio, place.at + ringAt, pieceBytes - before), before);
  return bytes;
}

/** A device as it would be after a replay; nothing is written. */
export class ReplayedLogIo implements BlockIo {
  readonly sectorSizeBytes: number;
  readonly sectorCount: number;
  readonly writeable = false;
  readonly #bio: BlockIo;
  readonly #place: LogPlace;
  readonly #scan: ScannedLog;

  constructor(bio: BlockIo, place: LogPlace, scan: ScannedLog) {
    this.#bio = bio;
    this.#place = place;
    this.#scan = scan;
    this.sectorSizeBytes = bio.sectorSizeBytes;
    this.sectorCount = bio.sectorCount;
  }

  async read(sector: number, into: Uint8Array): Promise<void> {
    await this.#bio.read(sector, into);
    const { newest, pieces } = this.#scan;
    const { pieceBytes } = newest.header;
    const start = sector * this.sectorSizeBytes;
    const from = Math.floor(start / pieceBytes) * pieceBytes;
    for (let first = from; first < start + into.length; first += pieceBytes) {
      const at = pieces.get(first);
      if (at === undefined) continue;
      const bytes = await pieceOf(this.#bio, this.#place, this.#scan, at);
      const skip = Math.max(0, start - first);
      const target = Math.max(0, first - start);
      into.set(bytes.subarray(skip, Math.min(bytes.length, skip + into.length - target)), target);
    }
  }

  write(): Promise<void> {
    return Promise.reject(new Error('the device is read-only'));
  }

  sync(): Promise<void> {
    return Promise.resolve();
  }
}
