/** Sizes are rounded up to a power of two, this one at least. */
const BYTES_MIN = 64 * 1024;

/**
 * Large pieces of memory that are used again. To the host a fresh one costs more than to fill it:
 * every page of it has to be found and cleared.
 */
export class SpareMemory {
  readonly #bytesMax: number;
  readonly #spare = new Map<number, Uint8Array[]>();
  #bytes = 0;

  /** At most `bytesMax` bytes are kept. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Memory of so many bytes at least, which holds anything. */
  take(bytes: number): Uint8Array {
    const size = 2 ** Math.ceil(Math.log2(Math.max(bytes, BYTES_MIN)));
    const found = this.#spare.get(size)?.pop();
    if (!found) return new Uint8Array(size);
    this.#bytes -= size;
    return found;
  }

  /** Gives back what `take` has given. */
  give(memory: Uint8Array): void {
    const size = memory.byteLength;
    if (this.#bytes + size > this.#bytesMax) return;
    this.#bytes += size;
    const kept = this.#spare.get(size);
    if (kept) kept.push(memory);
    else this.#spare.set(size, [memory]);
  }
}
