/**
 * Which pages of a reservation are free: a list of free ranges in order of their place, no two of
 * which touch. First fit. What is allocated is not remembered: who releases says how much, and
 * releasing what is free is a fault.
 */
import { assert } from './errors.ts';

interface Range {
  start: number;
  count: number;
}

/** Hands out ranges of the pages `first` … `end` - 1. */
export class PageAllocator {
  readonly #first: number;
  readonly #end: number;
  readonly #free: Range[];
  #freePages: number;

  constructor(first: number, end: number) {
    assert(first >= 0 && first < end, 'there are pages');
    this.#first = first;
    this.#end = end;
    this.#free = [{ start: first, count: end - first }];
    this.#freePages = end - first;
  }

  /** Pages that are free, in one range or many. */
  get freePages(): number {
    return this.#freePages;
  }

  /** Whether nothing is allocated. */
  get unused(): boolean {
    return this.#freePages === this.#end - this.#first;
  }

  /** First page of `count` adjacent ones that were free, or undefined if there are no such. */
  allocate(count: number): number | undefined {
    assert(Number.isSafeInteger(count) && count > 0, 'a range has pages');
    const index = this.#free.findIndex((range) => range.count >= count);
    const range = this.#free[index];
    if (range === undefined) return undefined;
    const { start } = range;
    range.start += count;
    range.count -= count;
    if (range.count === 0) this.#free.splice(index, 1);
    this.#freePages -= count;
    return start;
  }

  /** Frees a range that was allocated, or a part of one. */
  release(start: number, count: number): void {
    const end = start + count;
    assert(count > 0 && start >= this.#first && end <= this.#end, 'what is released lies within');
    const index = this.#indexAfter(start);
    const before = this.#free[index - 1];
    const after = this.#free[index];
    assert(before === undefined || before.start + before.count <= start, 'what is released was in use');
    assert(after === undefined || end <= after.start, 'what is released was in use');
    this.#freePages += count;
    const joinsBefore = before !== undefined && before.start + before.count === start;
    const joinsAfter = after !== undefined && after.start === end;
    if (joinsBefore) {
      before.count += count + (joinsAfter ? after.count : 0);
      if (joinsAfter) this.#free.splice(index, 1);
    } else if (joinsAfter) {
      after.start = start;
      after.count += count;
    } else {
      this.#free.splice(index, 0, { start, count });
    }
  }

  /** Index of the first free range that starts after `page`. */
  #indexAfter(page: number): number {
    let low = 0;
    let high = this.#free.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#free[middle]?.start ?? this.#end) > page) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
