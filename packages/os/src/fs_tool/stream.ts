/**
 * Reads and writes large files in pieces: the next piece is on its way while the last one is being
 * worked on.
 */
import type { OpenFile } from '@ginit/core/file_system';
import type { Progress } from './progress.ts';

/** The size of a piece; there are two at the same time. */
export const PIECE_BYTES = 1024 * 1024;

/** A buffer seen as bytes and as words. */
export class Piece {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;

  constructor() {
    const memory = new ArrayBuffer(PIECE_BYTES);
    this.bytes = new Uint8Array(memory);
    this.words = new Uint32Array(memory);
  }
}

/**
 * Reads up to `sizeBytes` from a file's beginning and hands them to `use`, piece by piece. Ends
 * early at the file's end, or when `use` returns false. Resolves to the bytes read.
 */
export async function readStream(
  file: OpenFile,
  sizeBytes: number,
  progress: Progress,
  use: (piece: Piece, length: number, position: number) => boolean | void,
): Promise<number> {
  const pieces = [new Piece(), new Piece()] as const;
  let turn = 0;
  const start = (position: number, piece: Piece): Promise<number> =>
    file.read(position, piece.bytes.subarray(0, Math.min(PIECE_BYTES, sizeBytes - position)));
  let position = 0;
  let reading = start(0, pieces[0]);
  try {
    for (;;) {
      const piece = pieces[turn === 0 ? 0 : 1];
      turn = 1 - turn;
      const length = await reading;
      const next = position + length;
      const last = length < PIECE_BYTES || next >= sizeBytes;
      if (!last) reading = start(next, pieces[turn === 0 ? 0 : 1]);
      if (length > 0 && use(piece, length, position) === false) return next;
      position = next;
      await progress.advance(position);
      if (last) return position;
    }
  } finally {
    // A read under way must not end as an unhandled rejection, and must not outlive the handle.
    await reading.catch(() => undefined);
  }
}

/** Writes `sizeBytes` to a file from its beginning; `make` fills each piece before it goes. */
export async function writeStream(
  file: OpenFile,
  sizeBytes: number,
  progress: Progress,
  make: (piece: Piece, length: number, position: number) => void,
): Promise<void> {
  const pieces = [new Piece(), new Piece()] as const;
  let turn = 0;
  let writing = Promise.resolve();
  try {
    for (let position = 0; position < sizeBytes; position += PIECE_BYTES) {
      const piece = pieces[turn === 0 ? 0 : 1];
      turn = 1 - turn;
      const length = Math.min(PIECE_BYTES, sizeBytes - position);
      make(piece, length, position);
      await writing;
      await progress.advance(position);
      writing = file.write(position, piece.bytes.subarray(0, length));
    }
    await writing;
  } finally {
    await writing.catch(() => undefined);
  }
}
