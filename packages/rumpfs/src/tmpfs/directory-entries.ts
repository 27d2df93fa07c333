/**
 * The entries of a directory. Each has a number that later ones exceed, so that somebody who lists
 * the directory can go on after any number, whatever was added or removed meanwhile.
 */
/** A name in a directory. */
export interface Entry<Node> {
  readonly order: number;
  readonly name: string;
  readonly node: Node;
}

/** Entries by name, and in the order in which they came. */
export class DirectoryEntries<Node> {
  readonly #byName = new Map<string, Entry<Node>>();
  /** Sorted by `order`. */
  readonly #inOrder: Entry<Node>[] = [];
  #nextOrder = 1;

  get size(): number {
    return this.#byName.size;
  }

  get(name: string): Node | undefined {
    return this.#byName.get(name)?.node;
  }

  /** Adds an entry. There is none of that name. */
  add(name: string, node: Node): void {
    const entry = { order: this.#nextOrder++, name, node };
    this.#byName.set(name, entry);
    this.#inOrder.push(entry);
  }

  remove(name: string): void {
    const entry = this.#byName.get(name);
    if (!entry) return;
    this.#byName.delete(name);
    this.#inOrder.splice(this.#indexAfter(entry.order) - 1, 1);
  }

  /** At most `entriesMax` entries whose numbers are above `order`. */
  after(order: number, entriesMax: number): readonly Entry<Node>[] {
    const first = this.#indexAfter(order);
    return this.#inOrder.slice(first, first + entriesMax);
  }

  /** The index of the first entry with a number above `order`. */
  #indexAfter(order: number): number {
    let low = 0;
    let high = this.#inOrder.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#inOrder[middle]?.order ?? 0) <= order) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
