/**
 * The fingerprint of a disk: the CRC-32 of all that is on it. It tells whether a disk was written
 * since; nobody is kept from forging one.
 */
import { crc32 } from 'node:zlib';
import { assert } from '@ginit/core';

const PIECE_BYTES = 1024 * 1024;
/** Pieces that are read ahead. */
const AHEAD = 4;
const HEXADECIMAL = 16;

/** The content that one is made of. */
export interface Readable {
  readonly sizeBytes: number;
  /** Fills a buffer from a position on. */
  read(position: number, into: Uint8Array): Promise<unknown>;
}

/** Reads all of it. Rejects as `read` does. */
export async function fingerprintOf({ sizeBytes, read }: Readable): Promise<string> {
  // Fresh memory for each piece would cost more than the reading.
  const buffers = Array.from({ length: AHEAD }, () => new Uint8Array(Math.min(PIECE_BYTES, sizeBytes)));
  const pieces: Promise<Uint8Array>[] = [];
  let asked = 0;
  let checksum = 0;
  for (let position = 0; position < sizeBytes; position += PIECE_BYTES) {
    for (; pieces.length < AHEAD && asked < sizeBytes; asked += PIECE_BYTES) {
      // The one that was taken last is used again.
      const buffer = buffers[(asked / PIECE_BYTES) % AHEAD]?.subarray(0, sizeBytes - asked);
      assert(buffer !== undefined, 'there is a buffer for each piece');
      const piece = read(asked, buffer).then(() => buffer);
      // The loop below hears of a failure when it waits for the piece.
      piece.catch(() => {});
      pieces.push(piece);
    }
    const piece = await pieces.shift();
    if (piece) checksum = crc32(piece, checksum);
  }
  return checksum.toString(HEXADECIMAL).padStart(8, '0');
}
