/**
 * Takes messages out of a stream of bytes. Bytes come in chunks of any size; a message is taken
 * when it is there as a whole, so that its reader needs no states. Payloads are handed on as the
 * chunks that they came in, without a copy.
 */
import { assert } from '@ginit/core';
import type { HostSource } from '@ginit/core/host';
import { copyInto } from '@ginit/core/packet-stream';

/** A stream of bytes that comes in. */
export type ByteSource = Pick<HostSource, 'read'>;

/** Smaller chunks are put together if they have to wait. */
const PACKED_BYTES_MAX = 1024;
const PACK_BYTES = 64 * 1024;

export class ByteReader {
  readonly #source: ByteSource;
  readonly #ended: (text: string) => Error;
  #chunks: Uint8Array[] = [];
  /** Index of the first chunk in use, and of the first byte in it. */
  #first = 0;
  #offset = 0;
  #held = 0;
  /** Where small chunks are put together, and how much of it is used. */
  #packed = new Uint8Array(0);
  #packedBytes = 0;

  /** `ended` makes the error for a stream that ends where it must not. */
  constructor(source: ByteSource, ended: (text: string) => Error) {
    this.#source = source;
    this.#ended = ended;
  }

  /** The bytes that have come and were not taken yet. */
  get held(): number {
    return this.#held;
  }

  /**
   * Waits until `bytes` are there. False if the stream ends before the first of them; rejects if
   * it ends in their middle.
   */
  async fill(bytes: number): Promise<boolean> {
    while (this.#held < bytes) {
      const chunk = await this.#source.read();
      if (chunk === undefined) {
        if (this.#held === 0) return false;
        throw this.#ended('the connection ended in the middle of a message');
      }
      if (chunk.byteLength === 0) continue;
      if (this.#held > 0 && chunk.byteLength < PACKED_BYTES_MAX) this.#pack(chunk);
      else this.#chunks.push(chunk);
      this.#held += chunk.byteLength;
    }
    return true;
  }

  /**
   * Puts a small chunk behind those that wait already, into memory that they share: each for itself
   * takes a hundred times as much as the byte that it may hold.
   */
  #pack(chunk: Uint8Array): void {
    if (this.#packed.byteLength - this.#packedBytes < chunk.byteLength) {
      this.#packed = new Uint8Array(PACK_BYTES);
      this.#packedBytes = 0;
    }
    const start = this.#packedBytes;
    this.#packedBytes += chunk.byteLength;
    this.#packed.set(chunk, start);
    const last = this.#chunks.at(-1);
    const goesOn = last?.buffer === this.#packed.buffer && last.byteOffset + last.byteLength === start;
    if (goesOn) this.#chunks.pop();
    this.#chunks.push(this.#packed.subarray(goesOn ? last.byteOffset : start, this.#packedBytes));
  }

  /** Like `fill`, where the stream must not end. */
  async need(bytes: number): Promise<void> {
    if (this.#held < bytes && !(await this.fill(bytes))) {
      throw this.#ended('the other end has closed the connection');
    }
  }

  /** Takes bytes that are there, as one piece: a view if they came so, else a copy. */
  take(bytes: number): Uint8Array {
    assert(bytes <= this.#held, 'bytes that are taken are there');
    const chunk = this.#chunks[this.#first];
    if (chunk !== undefined && chunk.byteLength - this.#offset >= bytes) {
      const part = chunk.subarray(this.#offset, this.#offset + bytes);
      this.#skip(bytes);
      return part;
    }
    const whole = new Uint8Array(bytes);
    let at = 0;
    for (const part of this.takeParts(bytes)) {
      whole.set(part, at);
      at += part.byteLength;
    }
    return whole;
  }

  /** Takes bytes that are there, as the parts that they came in. */
  takeParts(bytes: number): Uint8Array[] {
    assert(bytes <= this.#held, 'bytes that are taken are there');
    const parts: Uint8Array[] = [];
    let left = bytes;
    while (left > 0) {
      const chunk = this.#chunks[this.#first];
      assert(chunk !== undefined, 'held bytes lie in chunks');
      const part = chunk.subarray(this.#offset, Math.min(chunk.byteLength, this.#offset + left));
      parts.push(part);
      left -= part.byteLength;
      this.#skip(part.byteLength);
    }
    return parts;
  }

  /** Fills a place as the bytes come. `before` is called before each time that it is written. */
  async moveInto(into: Uint8Array, before: () => void): Promise<void> {
    for (let at = 0; at < into.byteLength; ) {
      if (this.#held === 0) await this.need(1);
      before();
      for (const part of this.takeParts(Math.min(this.#held, into.byteLength - at))) {
        copyInto(into, part, at);
        at += part.byteLength;
      }
    }
  }

  /**
   * Waits for a line, and takes it with its end. Resolves to nothing if the line has more than
   * `bytesMax` bytes.
   */
  async takeLine(bytesMax: number): Promise<Uint8Array | undefined> {
    for (let looked = 0; ; ) {
      const bytes = this.#lineBytes(looked);
      if (bytes > bytesMax || (bytes === 0 && this.#held >= bytesMax)) return undefined;
      if (bytes > 0) return this.take(bytes);
      looked = this.#held;
      await this.need(looked + 1);
    }
  }

  /** How long the first line is that is there; 0 if it has no end yet in what follows `from`. */
  #lineBytes(from: number): number {
    let start = -this.#offset;
    for (let index = this.#first; index < this.#chunks.length; index++) {
      const chunk = this.#chunks[index];
      if (chunk === undefined) break;
      const found = chunk.indexOf(0x0a, Math.max(0, from - start, index === this.#first ? this.#offset : 0));
      if (found !== -1) return start + found + 1;
      start += chunk.byteLength;
    }
    return 0;
  }

  /** Moves on within the first chunk. */
  #skip(bytes: number): void {
    this.#held -= bytes;
    this.#offset += bytes;
    const chunk = this.#chunks[this.#first];
    if (chunk === undefined || this.#offset < chunk.byteLength) return;
    this.#offset = 0;
    this.#first++;
    if (this.#first < 32 && this.#first < this.#chunks.length) return;
    this.#chunks = this.#chunks.slice(this.#first);
    this.#first = 0;
  }
}

/** A view for reading numbers. */
export function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
