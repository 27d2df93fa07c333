/** Bytes on their way from one side of a terminal to the other: first in, first out, bounded. */
import { assert } from '../../errors.ts';

/** A queue of at most `capacity` bytes. */
export class ByteQueue {
  readonly capacity: number;
  readonly #ring: Uint8Array;
  #first = 0;
  #length = 0;

  constructor(capacity: number) {
    assert(Number.isSafeInteger(capacity) && capacity > 0, `a queue of ${capacity} bytes`);
    this.capacity = capacity;
    this.#ring = new Uint8Array(capacity);
  }

  /** The number of bytes in the queue. */
  get length(): number {
    return this.#length;
  }

  /** The number of bytes that it has room for. */
  get room(): number {
    return this.capacity - this.#length;
  }

  /** Takes in bytes from the front of `from`; the result is how many. */
  push(from: Uint8Array): number {
    const count = Math.min(from.byteLength, this.room);
    const at = (this.#first + this.#length) % this.capacity;
    const straight = Math.min(count, this.capacity - at);
    this.#ring.set(from.subarray(0, straight), at);
    this.#ring.set(from.subarray(straight, count), 0);
    this.#length += count;
    return count;
  }

  /** Gives out at most `bytesMax` bytes, as a copy. */
  take(bytesMax = this.capacity): Uint8Array {
    const count = Math.min(bytesMax, this.#length);
    const taken = new Uint8Array(count);
    const straight = Math.min(count, this.capacity - this.#first);
    taken.set(this.#ring.subarray(this.#first, this.#first + straight), 0);
    taken.set(this.#ring.subarray(0, count - straight), straight);
    this.#first = (this.#first + count) % this.capacity;
    this.#length -= count;
    return taken;
  }
}
