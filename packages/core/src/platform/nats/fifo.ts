/** A queue whose first element is taken without moving the others. */

/** Elements that were taken stay in the array until there are this many of them. */
const COMPACT_AT = 256;

export class Fifo<T> {
  #items: T[] = [];
  #taken = 0;

  get length(): number {
    return this.#items.length - this.#taken;
  }

  get first(): T | undefined {
    return this.#items[this.#taken];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): void {
    this.#taken++;
    if (this.#taken < COMPACT_AT || this.#taken * 2 < this.#items.length) {
      if (this.#taken === this.#items.length) this.clear();
      return;
    }
    this.#items = this.#items.slice(this.#taken);
    this.#taken = 0;
  }

  clear(): void {
    this.#items = [];
    this.#taken = 0;
  }

  /** Drops everything behind the first `length` elements. */
  truncate(length: number): void {
    this.#items.length = Math.min(this.#items.length, this.#taken + length);
  }

  *[Symbol.iterator](): Iterator<T> {
    for (let index = this.#taken; index < this.#items.length; index++) {
      // Between `taken` and the end every place has an element.
      yield this.#items[index] as T;
    }
  }
}
