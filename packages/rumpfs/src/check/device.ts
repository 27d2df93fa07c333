import { FsError, messageOf } from '../errors.ts';
import type { BlockIo } from '../hypercall/hypercalls.ts';

const READ_BYTES = 256 * 1024;
const CHUNK_BYTES = 64 * 1024;
/** Chunks that are kept: 4 MiB. */
const CHUNKS_MAX = 64;

/** Bytes of the device, in pieces. Rejects with `Corrupt` behind its end, or `InputOutput`. */
export async function bytesAt(bio: BlockIo, offset: number, length: number): Promise<Uint8Array> {
  const size = bio.sectorSizeBytes;
  const first = Math.floor(offset / size);
  const end = Math.ceil((offset + length) / size);
  if (end > bio.sectorCount)
    throw new FsError('Corrupt', `check: bytes ${offset} to ${offset + length} are behind the device's end`);
  const bytes = new Uint8Array((end - first) * size);
  const step = Math.max(1, Math.floor(READ_BYTES / size));
  for (let sector = first; sector < end; sector += step) {
    const count = Math.min(step, end - sector);
    try {
      await bio.read(sector, bytes.subarray((sector - first) * size, (sector - first + count) * size));
    } catch (error) {
      throw new FsError('InputOutput', `sector ${sector} cannot be read: ${messageOf(error)}`);
    }
  }
  return bytes.subarray(offset - first * size, offset - first * size + length);
}

/** Reads a device with a small memory of what was read, for checkers that go to and fro. */
export class Device {
  readonly sizeBytes: number;
  readonly #bio: BlockIo;
  readonly #chunks = new Map<number, Uint8Array>();

  constructor(bio: BlockIo) {
    this.#bio = bio;
    this.sizeBytes = bio.sectorCount * bio.sectorSizeBytes;
  }

  /** Bytes that must not be changed. Rejects as `bytesAt` does. */
  async bytes(offset: number, length: number): Promise<Uint8Array> {
    const chunk = Math.floor(offset / CHUNK_BYTES);
    const start = chunk * CHUNK_BYTES;
    const whole = start + CHUNK_BYTES <= this.sizeBytes && offset + length <= start + CHUNK_BYTES;
    if (!whole) return bytesAt(this.#bio, offset, length);
    const kept = this.#chunks.get(chunk) ?? (await this.#read(chunk));
    return kept === undefined
      ? bytesAt(this.#bio, offset, length)
      : kept.subarray(offset - start, offset - start + length);
  }

  /** Undefined if some of it cannot be read: then only what is wanted is tried. */
  async #read(chunk: number): Promise<Uint8Array | undefined> {
    try {
      const bytes = await bytesAt(this.#bio, chunk * CHUNK_BYTES, CHUNK_BYTES);
      for (const oldest of this.#chunks.keys()) {
        if (this.#chunks.size < CHUNKS_MAX) break;
        this.#chunks.delete(oldest);
      }
      this.#chunks.set(chunk, bytes);
      return bytes;
    } catch {
      return undefined;
    }
  }
}
