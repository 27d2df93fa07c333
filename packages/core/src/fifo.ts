/** A queue whose first element is taken without moving the others. */

/** The places of elements that were taken stay in the array until there are this many of them. */
const COMPACT_AT = 256;

/** A queue. What was taken out of it is kept by nobody here, however long it never runs dry. */
export class Fifo<T> {
  #items: (T | undefined)[] = [];
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
    if (this.length === 0) return;
    this.#items[this.#taken] = undefined;
    this.#taken++;
    if (this.length === 0) this.clear();
    else if (this.#taken >= COMPACT_AT && this.#taken * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#taken);
      this.#taken = 0;
    }
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
