/**
 * Which blocks are structures of the file system itself, so that no file may have them: adjacent
 * ones together, in ascending order, for a binary search.
 */
export class StructureZones {
  readonly #firstBlock: number;
  readonly #endBlock: number;
  #added: { readonly first: number; readonly end: number }[] = [];
  #firsts = new Float64Array(0);
  #ends = new Float64Array(0);

  /** @param firstBlock the range of the file system, up to but not including `endBlock` */
  constructor(firstBlock: number, endBlock: number) {
    this.#firstBlock = firstBlock;
    this.#endBlock = endBlock;
  }

  add(first: number, count: number): void {
    this.#added.push({ first, end: first + count });
  }

  /** To be called when all structures were added. */
  finish(): void {
    const merged: { first: number; end: number }[] = [];
    for (const { first, end } of this.#added.toSorted((one, other) => one.first - other.first)) {
      const last = merged.at(-1);
      if (last !== undefined && first <= last.end) last.end = Math.max(last.end, end);
      else merged.push({ first, end });
    }
    this.#added = [];
    this.#firsts = Float64Array.from(merged, ({ first }) => first);
    this.#ends = Float64Array.from(merged, ({ end }) => end);
  }

  /** Whether blocks lie inside the file system at all. */
  inside(first: number, count: number): boolean {
    return first >= this.#firstBlock && first + count <= this.#endBlock;
  }

  /** Whether any of `count` blocks from `first` on is a structure. */
  touch(first: number, count: number): boolean {
    const index = this.#indexFrom(first);
    return index < this.#firsts.length && (this.#firsts[index] ?? 0) < first + count;
  }

  /** Calls `visit` with each part of a structure that lies in `count` blocks from `first` on. */
  eachIn(first: number, count: number, visit: (first: number, count: number) => void): void {
    const end = first + count;
    for (let index = this.#indexFrom(first); index < this.#firsts.length; index += 1) {
      const from = Math.max(first, this.#firsts[index] ?? 0);
      const to = Math.min(end, this.#ends[index] ?? 0);
      if (from >= end) return;
      visit(from, to - from);
    }
  }

  /** The index of the first zone that ends behind `block`. */
  #indexFrom(block: number): number {
    let low = 0;
    let high = this.#ends.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ends[middle] ?? 0) > block) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
