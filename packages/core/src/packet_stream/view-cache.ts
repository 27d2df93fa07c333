const CACHE_SLOTS = 256;

/**
 * Views on ranges of a bulk buffer. Making a view costs an allocation, and streams use the same few ranges
 * again and again: a view made once for a start is kept until another range displaces it.
 */
export class ViewCache {
  readonly #bulk: Uint8Array;
  readonly #shift: number;
  readonly #none: Uint8Array;
  readonly #views: (Uint8Array | undefined)[] = Array.from({ length: CACHE_SLOTS });

  /** Starts of ranges that differ by 2^shift lie beside each other in the cache. */
  constructor(bulk: Uint8Array, shift: number) {
    this.#bulk = bulk;
    this.#shift = shift;
    this.#none = bulk.subarray(0, 0);
  }

  /** Throws RangeError if the range is not in the buffer. */
  view(offset: number, size: number): Uint8Array {
    if (size === 0) return this.#none;
    const slot = (offset >>> this.#shift) & (CACHE_SLOTS - 1);
    const kept = this.#views[slot];
    if (kept !== undefined && kept.length === size && kept.byteOffset === this.#bulk.byteOffset + offset) {
      return kept;
    }
    if (offset < 0 || size < 0 || offset + size > this.#bulk.length)
      throw new RangeError('not in bulk buffer');
    const made = this.#bulk.subarray(offset, offset + size);
    this.#views[slot] = made;
    return made;
  }
}
