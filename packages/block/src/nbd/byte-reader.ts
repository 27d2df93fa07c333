/**
 * Takes messages out of a stream of bytes. Bytes come in chunks of any size; a message is taken
 * when it is there as a whole, so that its reader needs no states. Payloads are handed on as the
 * chunks that they came in, without a copy.
 */
import { assert } from '@ginit/core';
import type { HostSource } from '@ginit/core/host';
import { NbdConnectionError } from './nbd-error.ts';

/** A stream of bytes that comes in. */
export type ByteSource = Pick<HostSource, 'read'>;

export class ByteReader {
  readonly #source: ByteSource;
  #chunks: Uint8Array[] = [];
  /** Index of the first chunk in use, and of the first byte in it. */
  #first = 0;
  #offset = 0;
  #held = 0;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** The bytes that have come and were not taken yet. */
  get held(): number {
    return this.#held;
  }

  /**
   * Waits until `bytes` are there. False if the stream ends before the first of them; rejects with
   * `Ended` if it ends in their middle.
   */
  async fill(bytes: number): Promise<boolean> {
    while (this.#held < bytes) {
      const chunk = await this.#source.read();
      if (chunk === undefined) {
        if (this.#held === 0) return false;
        throw new NbdConnectionError('Ended', 'the connection ended in the middle of a message');
      }
      if (chunk.byteLength === 0) continue;
      this.#chunks.push(chunk);
      this.#held += chunk.byteLength;
    }
    return true;
  }

  /** Like `fill`, where the stream must not end. */
  async need(bytes: number): Promise<void> {
    if (this.#held < bytes && !(await this.fill(bytes))) {
      throw new NbdConnectionError('Ended', 'the other end has closed the connection');
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

  /** Drops bytes that may not have come yet, without keeping them. */
  async drop(bytes: number): Promise<void> {
    let left = bytes;
    while (left > 0) {
      await this.need(1);
      const now = Math.min(left, this.#held);
      this.takeParts(now);
      left -= now;
    }
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
