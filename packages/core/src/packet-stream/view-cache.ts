const CACHE_SLOTS = 256;

/**
 * Views on ranges of a bulk buffer. Making a view costs an allocation, and streams use the same few
 * ranges again and again: a view made once for a start is kept until another range displaces it.
 */
export class ViewCache {
  readonly #bulk: Uint8Array;
  readonly #shift: number;
  readonly #none: Uint8Array;
  readonly #views: (Uint8Array | undefined)[] = Array.from({ length: CACHE_SLOTS });
  /** The ranges of the views: V8 is slow to tell where a view of shared memory begins. */
  readonly #offsets = new Int32Array(CACHE_SLOTS);
  readonly #sizes = new Int32Array(CACHE_SLOTS);

  /** Ranges start at multiples of 2^shift. */
  constructor(bulk: Uint8Array, shift: number) {
    this.#bulk = bulk;
    this.#shift = shift;
    this.#none = bulk.subarray(0, 0);
  }

  /** Throws RangeError if the range is not in the buffer. */
  view(offset: number, size: number): Uint8Array {
    if (size === 0) return this.#none;
    const number = offset >>> this.#shift;
    // Ranges lie at equal distances, often powers of two. Folding the number gives up to 256 of
    // them a slot each.
    const slot = (number ^ (number >>> 8) ^ (number >>> 16)) & (CACHE_SLOTS - 1);
    if (this.#sizes[slot] === size && this.#offsets[slot] === offset) {
      const kept = this.#views[slot];
      if (kept !== undefined) return kept;
    }
    if (offset < 0 || size < 0 || offset + size > this.#bulk.length)
      throw new RangeError('not in bulk buffer');
    const made = this.#bulk.subarray(offset, offset + size);
    this.#views[slot] = made;
    this.#offsets[slot] = offset;
    this.#sizes[slot] = size;
    return made;
  }
}
