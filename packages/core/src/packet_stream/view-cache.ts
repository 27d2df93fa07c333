const CACHE_SLOTS_LOG2 = 8;
/** 2^32 over the golden ratio: spreads numbers at equal distances evenly. */
const SPREAD = 0x9e37_79b1;

/**
 * Views on ranges of a bulk buffer. Making a view costs an allocation, and streams use the same few ranges
 * again and again: a view made once for a start is kept until another range displaces it.
 */
export class ViewCache {
  readonly #bulk: Uint8Array;
  readonly #shift: number;
  readonly #none: Uint8Array;
  readonly #views: (Uint8Array | undefined)[] = Array.from({ length: 2 ** CACHE_SLOTS_LOG2 });

  /** Ranges start at multiples of 2^shift. */
  constructor(bulk: Uint8Array, shift: number) {
    this.#bulk = bulk;
    this.#shift = shift;
    this.#none = bulk.subarray(0, 0);
  }

  /** Throws RangeError if the range is not in the buffer. */
  view(offset: number, size: number): Uint8Array {
    if (size === 0) return this.#none;
    const slot = Math.imul(offset >>> this.#shift, SPREAD) >>> (32 - CACHE_SLOTS_LOG2);
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
