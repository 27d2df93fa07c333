/** Bytes on their way from one side of a terminal to the other: first in, first out, bounded. */
import { ScrollBack } from './scroll-back.ts';

/** A queue of at most `capacity` bytes. */
export class ByteQueue {
  readonly #bytes: ScrollBack;
  /** How many have left the queue. */
  #taken = 0;

  constructor(capacity: number) {
    this.#bytes = new ScrollBack(capacity);
  }

  get capacity(): number {
    return this.#bytes.capacity;
  }

  /** The number of bytes in the queue. */
  get length(): number {
    return this.#bytes.end - this.#taken;
  }

  /** The number of bytes that it has room for. */
  get room(): number {
    return this.capacity - this.length;
  }

  /** Takes in bytes from the front of `from`; the result is how many. */
  push(from: Uint8Array): number {
    const count = Math.min(from.byteLength, this.room);
    this.#bytes.append(from.subarray(0, count));
    return count;
  }

  /** Gives out at most `bytesMax` bytes, as a copy. */
  take(bytesMax = this.capacity): Uint8Array {
    const { bytes, next } = this.#bytes.from(this.#taken, bytesMax);
    this.#taken = next;
    return bytes;
  }
}
