/**
 * The last bytes of a stream, each with its position in the whole stream. Everybody who follows the
 * stream has a position of his own, so the memory for all of them is that of the scroll-back; who
 * is too slow is told how much he has missed.
 */
import { assert } from '../../errors.ts';

/** A part of the stream. */
export interface ScrolledPart {
  readonly bytes: Uint8Array;
  /** The bytes before it that are not there any more. */
  readonly lostBytes: number;
  /** The position behind it. */
  readonly next: number;
}

/** Keeps the last `capacity` bytes of a stream. */
export class ScrollBack {
  readonly capacity: number;
  readonly #ring: Uint8Array;
  #end = 0;

  constructor(capacity: number) {
    assert(Number.isSafeInteger(capacity) && capacity > 0, `a scroll-back of ${capacity} bytes`);
    this.capacity = capacity;
    this.#ring = new Uint8Array(capacity);
  }

  /** The position behind the last byte. */
  get end(): number {
    return this.#end;
  }

  /** The position of the first byte that is still there. */
  get start(): number {
    return Math.max(0, this.#end - this.capacity);
  }

  append(bytes: Uint8Array): void {
    const kept = bytes.subarray(Math.max(0, bytes.byteLength - this.capacity));
    const at = (this.#end + bytes.byteLength - kept.byteLength) % this.capacity;
    const straight = Math.min(kept.byteLength, this.capacity - at);
    this.#ring.set(kept.subarray(0, straight), at);
    this.#ring.set(kept.subarray(straight), 0);
    this.#end += bytes.byteLength;
  }

  /** At most `bytesMax` bytes of the stream from `position` on, as a copy. */
  from(position: number, bytesMax: number): ScrolledPart {
    assert(position >= 0 && position <= this.#end, `position ${position} of ${this.#end}`);
    const first = Math.max(position, this.start);
    const count = Math.min(bytesMax, this.#end - first);
    const bytes = new Uint8Array(count);
    const at = first % this.capacity;
    const straight = Math.min(count, this.capacity - at);
    bytes.set(this.#ring.subarray(at, at + straight), 0);
    bytes.set(this.#ring.subarray(0, count - straight), straight);
    return { bytes, lostBytes: first - position, next: first + count };
  }
}
