import type { IndexOwner, IndexStore } from '../index/index-store.ts';

/** The memory that an entry takes besides its name. */
const ENTRY_BYTES = 64;

/**
 * The names of a directory in memory, and the places of their records. It may be dropped at any
 * time.
 */
export class DirectoryNames implements IndexOwner {
  usedAt = 0;
  readonly #store: IndexStore;
  #places: Map<string, number> | undefined = new Map();
  #bytes = 0;
  #complete = false;

  constructor(store: IndexStore) {
    this.#store = store;
  }

  get droppable(): boolean {
    return this.usable;
  }

  get usable(): boolean {
    return this.#complete && this.#places !== undefined;
  }

  /**
   * False when there is no memory for it; then all are dropped. Of two entries with a name, the
   * first counts.
   */
  add(name: string, position: number): boolean {
    const bytes = ENTRY_BYTES + 2 * name.length;
    if (!this.#store.grant(this, bytes)) {
      this.drop();
      return false;
    }
    this.#bytes += bytes;
    if (this.#places?.has(name) === false) this.#places.set(name, position);
    return true;
  }

  complete(): void {
    this.#complete = true;
  }

  find(name: string): number | undefined {
    this.usedAt = this.#store.tick();
    return this.#places?.get(name);
  }

  drop(): void {
    this.#places = undefined;
    this.#store.giveBack(this, this.#bytes);
    this.#bytes = 0;
  }
}
