/**
 * zisofs: a file in compressed blocks. 0 magic number (8) · 8 bytes before compression (4) · 12
 * length of this header in words · 13 size of a block as a power of two · then the place of each
 * block, and of the end behind the last. A block without bytes is zeros.
 */
import { inflateSync } from 'node:zlib';
import { messageOf } from '../errors.ts';
import type { Disc } from './disc.ts';

const MAGIC = [0x37, 0xe4, 0x53, 0x96, 0xc9, 0xdb, 0xd6, 0x07];
const BLOCK_BITS_MIN = 15;
const BLOCK_BITS_MAX = 17;

/** Reads bytes of the file as it is on the disc; all of them, or it rejects. */
export type ReadPacked = (offset: number, into: Uint8Array) => Promise<void>;

/** A file that is unpacked as it is read. */
export class ZisofsFile {
  readonly sizeBytes: number;
  readonly #disc: Disc;
  readonly #owner: string;
  readonly #packedBytes: number;
  readonly #headerBytes: number;
  readonly #blockBytes: number;
  readonly #read: ReadPacked;
  /** The block that was unpacked last. */
  #block: { readonly index: number; readonly bytes: Uint8Array } | undefined;

  private constructor(disc: Disc, owner: string, packedBytes: number, header: DataView, read: ReadPacked) {
    this.#disc = disc;
    this.#owner = owner;
    this.#packedBytes = packedBytes;
    this.#read = read;
    this.sizeBytes = header.getUint32(8, true);
    this.#headerBytes = header.getUint8(12) * 4;
    this.#blockBytes = 2 ** header.getUint8(13);
  }

  /** Rejects with `Corrupt` where the header makes no sense. */
  static async open(disc: Disc, owner: string, packedBytes: number, read: ReadPacked): Promise<ZisofsFile> {
    const bytes = new Uint8Array(16);
    if (packedBytes < bytes.length) throw disc.corrupt(`${owner}: ${packedBytes} bytes of zisofs`);
    await read(0, bytes);
    const bits = bytes[13] ?? 0;
    if (
      MAGIC.some((byte, index) => bytes[index] !== byte) ||
      bits < BLOCK_BITS_MIN ||
      bits > BLOCK_BITS_MAX
    ) {
      throw disc.corrupt(`${owner}: no header of zisofs`);
    }
    return new ZisofsFile(disc, owner, packedBytes, new DataView(bytes.buffer), read);
  }

  /** Fills `into`, which does not reach behind the end. */
  async read(offset: number, into: Uint8Array): Promise<void> {
    for (let done = 0; done < into.length; ) {
      const index = Math.floor((offset + done) / this.#blockBytes);
      const within = (offset + done) % this.#blockBytes;
      const bytes = await this.#unpacked(index);
      const length = Math.min(this.#blockBytes - within, into.length - done);
      into.set(bytes.subarray(within, within + length), done);
      done += length;
    }
  }

  async #unpacked(index: number): Promise<Uint8Array> {
    const known = this.#block;
    if (known?.index === index) return known.bytes;
    const places = new Uint8Array(8);
    await this.#read(this.#headerBytes + index * 4, places);
    const view = new DataView(places.buffer);
    const [from, end] = [view.getUint32(0, true), view.getUint32(4, true)];
    if (end < from || end > this.#packedBytes || end - from > this.#blockBytes * 2) {
      throw this.#disc.corrupt(`${this.#owner}: block ${index} of zisofs is from byte ${from} to ${end}`);
    }
    const length = Math.min(this.#blockBytes, this.sizeBytes - index * this.#blockBytes);
    const packed = new Uint8Array(end - from);
    if (packed.length > 0) await this.#read(from, packed);
    const bytes = packed.length === 0 ? new Uint8Array(length) : this.#inflate(packed, length, index);
    this.#block = { index, bytes };
    return bytes;
  }

  #inflate(packed: Uint8Array, length: number, index: number): Uint8Array {
    try {
      const bytes = inflateSync(packed, { maxOutputLength: this.#blockBytes });
      if (bytes.length === length) return bytes;
    } catch (error) {
      throw this.#disc.corrupt(`${this.#owner}: block ${index} of zisofs: ${messageOf(error)}`);
    }
    throw this.#disc.corrupt(`${this.#owner}: block ${index} of zisofs has another size`);
  }
}
