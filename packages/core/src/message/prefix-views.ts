/**
 * Views of the first bytes of a buffer that is used again and again. The view of each length is
 * made once, because making one costs as much as copying a short message, and readers recognise a
 * buffer that they have seen before.
 */

/** Views longer than this are made each time. */
const KEPT_LENGTH_MAX = 1024;

/** Keeps the views of one buffer at a time. */
export class PrefixViews {
  #buffer: Uint8Array | undefined;
  #views: (Uint8Array | undefined)[] = [];

  /** The first `length` bytes of `buffer`. */
  upTo(buffer: Uint8Array, length: number): Uint8Array {
    if (length > KEPT_LENGTH_MAX) return buffer.subarray(0, length);
    if (buffer !== this.#buffer) {
      this.#buffer = buffer;
      this.#views = Array.from({ length: KEPT_LENGTH_MAX + 1 });
    }
    return (this.#views[length] ??= buffer.subarray(0, length));
  }
}
