/** Blocks that lie side by side. */
export interface BlockRun {
  readonly start: number;
  readonly count: number;
}

/**
 * Which blocks of a new file system are in use: ranges in ascending order that do not touch, so
 * that one of many terabytes needs no bitmap in memory.
 */
export class BlockSpace {
  readonly #end: number;
  /** Where each range begins, and the block behind it. */
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];

  /** Blocks before `first` and from `end` on are none of the file system. */
  constructor(first: number, end: number) {
    this.#end = end;
    if (first > 0) this.#add(0, 0, first);
  }

  /** Marks blocks as used that must be free. */
  use(start: number, count: number): void {
    if (count > 0) this.#add(this.#after(start), start, start + count);
  }

  /** The first run of that many free blocks from `from` on. */
  take(count: number, from: number): BlockRun | undefined {
    let start = from;
    for (let index = this.#after(from); ; index += 1) {
      if (index > 0) start = Math.max(start, this.#ends[index - 1] ?? 0);
      const end = this.#starts[index] ?? this.#end;
      if (end - start >= count) {
        this.use(start, count);
        return { start, count };
      }
      if (index >= this.#starts.length) return undefined;
    }
  }

  /**
   * Takes free blocks from `from` on wherever they are, in their order; fewer if there are fewer.
   */
  takePieces(count: number, from: number): BlockRun[] {
    const runs: BlockRun[] = [];
    let left = count;
    let start = from;
    for (let index = this.#after(from); left > 0 && index <= this.#starts.length; index += 1) {
      if (index > 0) start = Math.max(start, this.#ends[index - 1] ?? 0);
      const length = Math.min(left, (this.#starts[index] ?? this.#end) - start);
      if (length <= 0) continue;
      runs.push({ start, count: length });
      left -= length;
      start += length;
    }
    for (const run of runs) this.use(run.start, run.count);
    return runs;
  }

  /** The parts of the range that are in use. */
  *usedIn(start: number, end: number): Generator<BlockRun> {
    const begin = this.#after(start);
    for (let index = Math.max(0, begin - 1); index < this.#starts.length; index += 1) {
      const first = Math.max(start, this.#starts[index] ?? 0);
      const last = Math.min(end, this.#ends[index] ?? 0);
      if ((this.#starts[index] ?? 0) >= end) return;
      if (last > first) yield { start: first, count: last - first };
    }
  }

  /** The index of the first range that begins behind `block`. */
  #after(block: number): number {
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#starts[middle] ?? 0) > block) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #add(index: number, start: number, end: number): void {
    const joinsBefore = index > 0 && this.#ends[index - 1] === start;
    const joinsAfter = this.#starts[index] === end;
    if (joinsBefore && joinsAfter) {
      this.#ends[index - 1] = this.#ends[index] ?? end;
      this.#starts.splice(index, 1);
      this.#ends.splice(index, 1);
    } else if (joinsBefore) {
      this.#ends[index - 1] = end;
    } else if (joinsAfter) {
      this.#starts[index] = start;
    } else {
      this.#starts.splice(index, 0, start);
      this.#ends.splice(index, 0, end);
    }
  }
}
