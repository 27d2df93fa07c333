/**
 * Finds the slot of a chunk: a hash table with open addressing and linear probing in a typed array,
 * at most half full. An entry is removed by moving up the entries behind it, so there are no marks
 * of removed entries to step over.
 */
export class ChunkIndex {
  /** Number of the chunk in each slot. */
  readonly #chunks: Float64Array;
  readonly #table: Int32Array;
  readonly #mask: number;
  readonly #shift: number;

  /** `chunks` holds the chunk of every slot in the table; it is only read here. */
  constructor(chunks: Float64Array) {
    const bits = Math.max(2, Math.ceil(Math.log2(chunks.length * 2)));
    this.#chunks = chunks;
    this.#table = new Int32Array(2 ** bits).fill(-1);
    this.#mask = 2 ** bits - 1;
    this.#shift = 32 - bits;
  }

  /** The slot of a chunk, or -1. */
  find(chunk: number): number {
    for (let at = this.#home(chunk); ; at = (at + 1) & this.#mask) {
      const slot = this.#table[at] ?? -1;
      if (slot < 0 || this.#chunks[slot] === chunk) return slot;
    }
  }

  /** Adds a slot, whose chunk is set and in no other slot. */
  add(slot: number): void {
    let at = this.#home(this.#chunks[slot] ?? 0);
    while ((this.#table[at] ?? -1) >= 0) at = (at + 1) & this.#mask;
    this.#table[at] = slot;
  }

  /** Removes a slot, whose chunk is still set. */
  remove(slot: number): void {
    let hole = this.#home(this.#chunks[slot] ?? 0);
    while (this.#table[hole] !== slot) hole = (hole + 1) & this.#mask;
    for (let at = (hole + 1) & this.#mask; ; at = (at + 1) & this.#mask) {
      const other = this.#table[at] ?? -1;
      if (other < 0) break;
      const home = this.#home(this.#chunks[other] ?? 0);
      // The entry may move into the hole unless its home position lies behind the hole.
      if (((at - home) & this.#mask) < ((at - hole) & this.#mask)) continue;
      this.#table[hole] = other;
      hole = at;
    }
    this.#table[hole] = -1;
  }

  #home(chunk: number): number {
    const high = Math.floor(chunk / 2 ** 32);
    return (Math.imul(chunk | 0, 0x9e37_79b1) ^ Math.imul(high, 0x85eb_ca6b)) >>> this.#shift;
  }
}
