/** Doubly linked lists of slots in typed arrays. A slot is in one list of a set at most, so that they share the links. */

const NONE = -1;

/** The links of all lists over the same slots. */
export class SlotLinks {
  readonly next: Int32Array;
  readonly previous: Int32Array;

  constructor(slots: number) {
    this.next = new Int32Array(slots).fill(NONE);
    this.previous = new Int32Array(slots).fill(NONE);
  }
}

/** A list; who uses it knows which slots are in it. */
export class SlotList {
  readonly #links: SlotLinks;
  #first = NONE;
  #last = NONE;
  #length = 0;

  constructor(links: SlotLinks) {
    this.#links = links;
  }

  /** -1 if the list is empty. */
  get first(): number {
    return this.#first;
  }

  /** -1 if the list is empty. */
  get last(): number {
    return this.#last;
  }

  get length(): number {
    return this.#length;
  }

  /** The slot behind this one, or -1. */
  after(slot: number): number {
    return this.#links.next[slot] ?? NONE;
  }

  /** The slot before this one, or -1. */
  before(slot: number): number {
    return this.#links.previous[slot] ?? NONE;
  }

  addFirst(slot: number): void {
    const { next, previous } = this.#links;
    next[slot] = this.#first;
    previous[slot] = NONE;
    if (this.#first === NONE) this.#last = slot;
    else previous[this.#first] = slot;
    this.#first = slot;
    this.#length++;
  }

  addLast(slot: number): void {
    const { next, previous } = this.#links;
    next[slot] = NONE;
    previous[slot] = this.#last;
    if (this.#last === NONE) this.#first = slot;
    else next[this.#last] = slot;
    this.#last = slot;
    this.#length++;
  }

  remove(slot: number): void {
    const { next, previous } = this.#links;
    const after = next[slot] ?? NONE;
    const before = previous[slot] ?? NONE;
    if (before === NONE) this.#first = after;
    else next[before] = after;
    if (after === NONE) this.#last = before;
    else previous[after] = before;
    next[slot] = NONE;
    previous[slot] = NONE;
    this.#length--;
  }

  moveFirst(slot: number): void {
    if (this.#first === slot) return;
    this.remove(slot);
    this.addFirst(slot);
  }
}
