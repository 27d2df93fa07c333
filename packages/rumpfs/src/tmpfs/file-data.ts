/**
 * The content of a file, in chunks. A chunk that nobody has written is a hole and takes no memory.
 */
import { copyInto } from '@ginit/core/packet-stream';
import type { Memory } from './memory.ts';

const CHUNK_BYTES = 4096;
/** What a chunk takes of the memory: its bytes, and what the engine keeps for it. */
const CHUNK_COST_BYTES = CHUNK_BYTES + 128;

/** The bytes of one file. */
export class FileData {
  readonly #memory: Memory;
  readonly #chunks = new Map<number, Uint8Array>();
  #sizeBytes = 0;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get allocatedBytes(): number {
    return this.#chunks.size * CHUNK_BYTES;
  }

  /**
   * Fills `into` from `position` on. Returns the number of bytes, fewer than asked for at the end
   * only.
   */
  read(position: number, into: Uint8Array): number {
    const length = Math.min(into.length, this.#sizeBytes - position);
    if (length <= 0) return 0;
    for (const { chunk, from, at, bytes } of pieces(position, length)) {
      const data = this.#chunks.get(chunk);
      const part = into.subarray(at, at + bytes);
      if (data) copyInto(part, data.subarray(from, from + bytes));
      else part.fill(0);
    }
    return length;
  }

  /** What it takes of the memory to write `length` bytes at `position`. */
  costOf(position: number, length: number): number {
    let cost = 0;
    for (const { chunk } of pieces(position, length)) {
      if (!this.#chunks.has(chunk)) cost += CHUNK_COST_BYTES;
    }
    return cost;
  }

  /** Writes as much of `from` as the memory has room for. Returns the number of bytes. */
  write(position: number, from: Uint8Array): number {
    let written = 0;
    for (const { chunk, from: start, at, bytes } of pieces(position, from.length)) {
      const data = this.#chunkFor(chunk);
      if (!data) break;
      copyInto(data.subarray(start, start + bytes), from.subarray(at, at + bytes));
      written += bytes;
    }
    if (written > 0) this.#sizeBytes = Math.max(this.#sizeBytes, position + written);
    return written;
  }

  /** Makes the file shorter, or longer by a hole. */
  truncate(sizeBytes: number): void {
    if (sizeBytes < this.#sizeBytes) this.#cut(sizeBytes);
    this.#sizeBytes = sizeBytes;
  }

  #chunkFor(chunk: number): Uint8Array | undefined {
    const known = this.#chunks.get(chunk);
    if (known) return known;
    if (this.#memory.room < CHUNK_COST_BYTES) return undefined;
    this.#memory.take(CHUNK_COST_BYTES);
    const made = new Uint8Array(CHUNK_BYTES);
    this.#chunks.set(chunk, made);
    return made;
  }

  /** Drops what lies behind `sizeBytes`, so that nobody meets it when the file grows again. */
  #cut(sizeBytes: number): void {
    const kept = Math.ceil(sizeBytes / CHUNK_BYTES);
    let dropped = 0;
    for (const chunk of this.#chunks.keys()) {
      if (chunk >= kept && this.#chunks.delete(chunk)) dropped++;
    }
    const within = sizeBytes % CHUNK_BYTES;
    if (within > 0) this.#chunks.get(kept - 1)?.fill(0, within);
    if (dropped > 0) this.#memory.give(dropped * CHUNK_COST_BYTES);
  }
}

interface Piece {
  /** Number of the chunk, and where the piece begins in it. */
  readonly chunk: number;
  readonly from: number;
  /** Where the piece begins in the range, and how long it is. */
  readonly at: number;
  readonly bytes: number;
}

/** The pieces of a range, chunk by chunk. */
function* pieces(position: number, length: number): Generator<Piece, void, void> {
  for (let at = 0; at < length; ) {
    const chunk = Math.floor((position + at) / CHUNK_BYTES);
    const from = (position + at) % CHUNK_BYTES;
    const bytes = Math.min(CHUNK_BYTES - from, length - at);
    yield { chunk, from, at, bytes };
    at += bytes;
  }
}
