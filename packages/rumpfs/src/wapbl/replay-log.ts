import { FsError, messageOf } from '../errors.ts';
import type { BlockIo } from '../hypercall/hypercalls.ts';
import { readBytes } from '../hypercall/read-bytes.ts';
import { emptied, type LogPlace } from './log-header.ts';
import type { ScannedLog } from './scan-log.ts';

/**
 * Brings what a log has to its places, and empties the log when that is durable. Rejects with
 * `InputOutput`; then it can be done again.
 */
export async function replayLog(bio: BlockIo, place: LogPlace, scan: ScannedLog): Promise<void> {
  try {
    for (const [first, at] of scan.pieces)
      await bio.write(first / bio.sectorSizeBytes, await pieceOf(bio, place, scan, at));
    await bio.sync();
    const headers = emptied(scan.headerBytes, place, scan.header);
    await bio.write(place.at / bio.sectorSizeBytes, headers);
    await bio.sync();
  } catch (error) {
    if (error instanceof FsError) throw error;
    throw new FsError('InputOutput', `wapbl: the log cannot be replayed: ${messageOf(error)}`);
  }
}

/** The contents of a piece; they may go on at the beginning of the ring. */
async function pieceOf(
  bio: BlockIo,
  place: LogPlace,
  { header }: ScannedLog,
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
    const { header, pieces } = this.#scan;
    const start = sector * this.sectorSizeBytes;
    const from = Math.floor(start / header.pieceBytes) * header.pieceBytes;
    for (let first = from; first < start + into.length; first += header.pieceBytes) {
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
