/**
 * The allocator of the bulk buffer, private to the source: nothing of it lies in shared memory.
 *
 * The buffer is cut into units (at least the alignment, at least 64 bytes where that divides the
 * buffer, at most 65536 of them). A free block stands in a list of blocks of similar size: sizes
 * below 16 units have a list each, above that every power of two is cut into eight. A bitmap tells
 * which lists hold something, so allocation takes the head of the first list whose blocks all
 * suffice; only if there is none it walks the one list whose blocks may suffice. Neighbours are
 * joined at once by marks at both ends of free blocks. All state lies in typed arrays made once.
 */

const UNITS_MAX = 65536;
const UNIT_LOG2_WANTED = 6;
const LISTS = 128;
const NONE = -1;

/** List of the blocks of `units` units; grows with `units`. */
function listOf(units: number): number {
  if (units < 8) return units;
  const exponent = 31 - Math.clz32(units);
  return (exponent - 2) * 8 + ((units >>> (exponent - 3)) & 7);
}

/** First list whose blocks all have at least `units` units. */
function sufficientListOf(units: number): number {
  const list = listOf(units);
  return units > 1 && listOf(units - 1) === list ? list + 1 : list;
}

function unitLog2For(bulkBytes: number, alignLog2: number): number {
  let unitLog2 = Math.max(alignLog2, UNIT_LOG2_WANTED);
  while (unitLog2 > alignLog2 && bulkBytes % 2 ** unitLog2 !== 0) unitLog2--;
  while (bulkBytes / 2 ** unitLog2 > UNITS_MAX) unitLog2++;
  return unitLog2;
}

export class BulkAllocator {
  readonly #unitLog2: number;
  readonly #unitBytes: number;
  readonly #units: number;
  /**
   * At the start of a used block its units; at start and end of a free one minus its units; else 0.
   */
  readonly #marks: Int32Array;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #heads = new Int32Array(LISTS).fill(NONE);
  readonly #filled = new Int32Array(LISTS / 32);
  #usedUnits = 0;

  constructor(bulkBytes: number, alignLog2: number) {
    this.#unitLog2 = unitLog2For(bulkBytes, alignLog2);
    this.#unitBytes = 2 ** this.#unitLog2;
    this.#units = Math.floor(bulkBytes / this.#unitBytes);
    this.#marks = new Int32Array(this.#units);
    this.#next = new Int32Array(this.#units);
    this.#previous = new Int32Array(this.#units);
    if (this.#units > 0) this.#insert(0, this.#units);
  }

  /** The most that can ever be allocated at once. */
  get capacityBytes(): number {
    return this.#units * this.#unitBytes;
  }

  get usedBytes(): number {
    return this.#usedUnits * this.#unitBytes;
  }

  /**
   * Start of a free range of `size` bytes, now used, or -1 if there is none. `size` is at least 1.
   */
  allocate(size: number): number {
    if (size > this.capacityBytes) return NONE;
    if (!(size >= 1)) throw new RangeError('allocation of no bytes');
    const units = ((size - 1) >>> this.#unitLog2) + 1;
    const start = this.#find(units);
    if (start === NONE) return NONE;
    const found = -this.#mark(start);
    this.#remove(start, found);
    if (found > units) this.#insert(start + units, found - units);
    this.#marks[start] = units;
    this.#usedUnits += units;
    return start * this.#unitBytes;
  }

  /** Frees what `allocate` returned. False, and nothing done, if no used range starts there. */
  free(offset: number): boolean {
    const start = offset / this.#unitBytes;
    const units = this.#mark(start);
    if (units <= 0) return false;
    this.#usedUnits -= units;
    this.#marks[start] = 0;
    let from = start;
    let to = start + units;
    const before = from > 0 ? -this.#mark(from - 1) : 0;
    if (before > 0) {
      from -= before;
      this.#remove(from, before);
    }
    const after = -this.#mark(to);
    if (after > 0) {
      this.#remove(to, after);
      to += after;
    }
    this.#insert(from, to - from);
    return true;
  }

  /** 0 where there is none, also outside the buffer and for no integer. */
  #mark(unit: number): number {
    return this.#marks[unit] ?? 0;
  }

  #find(units: number): number {
    const list = this.#firstFilled(sufficientListOf(units));
    if (list < LISTS) return this.#heads[list] ?? NONE;
    let start = this.#heads[listOf(units)] ?? NONE;
    while (start !== NONE && -this.#mark(start) < units) start = this.#next[start] ?? NONE;
    return start;
  }

  /** First list from `list` on that holds a block, or LISTS. */
  #firstFilled(list: number): number {
    let word = list >>> 5;
    let bits = (this.#filled[word] ?? 0) & (-1 << (list & 31));
    while (bits === 0) {
      word++;
      if (word >= this.#filled.length) return LISTS;
      bits = this.#filled[word] ?? 0;
    }
    return word * 32 + 31 - Math.clz32(bits & -bits);
  }

  #insert(start: number, units: number): void {
    const list = listOf(units);
    const head = this.#heads[list] ?? NONE;
    this.#marks[start] = -units;
    this.#marks[start + units - 1] = -units;
    this.#next[start] = head;
    this.#previous[start] = NONE;
    if (head !== NONE) this.#previous[head] = start;
    this.#heads[list] = start;
    this.#filled[list >>> 5] = (this.#filled[list >>> 5] ?? 0) | (1 << (list & 31));
  }

  #remove(start: number, units: number): void {
    const list = listOf(units);
    const next = this.#next[start] ?? NONE;
    const previous = this.#previous[start] ?? NONE;
    this.#marks[start] = 0;
    this.#marks[start + units - 1] = 0;
    if (next !== NONE) this.#previous[next] = previous;
    if (previous !== NONE) {
      this.#next[previous] = next;
      return;
    }
    this.#heads[list] = next;
    if (next !== NONE) return;
    this.#filled[list >>> 5] = (this.#filled[list >>> 5] ?? 0) & ~(1 << (list & 31));
  }
}
