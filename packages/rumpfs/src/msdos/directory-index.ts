import { type IndexOwner, type IndexStore } from '../index/index-store.ts';
import { NameTable, type TableCursor } from '../index/name-table.ts';
import { foldName, hashText } from './names.ts';

const SLOTS_PER_GROWTH = 128;

/**
 * The index of a directory in memory: which slots an entry with some name may be in, by its long
 * and by its short name, and which slots are free. Once it is complete, it may lose its memory to
 * another directory's index at any time.
 */
export class DirectoryIndex implements IndexOwner {
  usedAt = 0;
  readonly #store: IndexStore;
  #table: NameTable | undefined = new NameTable();
  /** For each slot 1 if it is in use. Slots behind its end are free. */
  #used = new Uint8Array(SLOTS_PER_GROWTH);
  #grantedBytes = 0;
  #complete = false;
  #freeFrom = 0;

  constructor(store: IndexStore) {
    this.#store = store;
  }

  get usable(): boolean {
    return this.#complete && this.#table !== undefined;
  }

  get droppable(): boolean {
    return this.usable;
  }

  complete(): void {
    this.#complete = true;
    this.touch();
  }

  touch(): void {
    this.usedAt = this.#store.tick();
  }

  /** The next slot where an entry of the folded name may be; -1 if there is none. */
  candidate(folded: string, cursor: TableCursor): number {
    return this.#table?.find(hashText(folded, this.#store.seed), cursor) ?? -1;
  }

  /** Adds an entry. False when there is no memory for it; then the index is dropped. */
  add(name: string, shortName: string, slot: number): boolean {
    const long = foldName(name);
    const short = foldName(shortName);
    return this.#add(long, slot) && (short === long || this.#add(short, slot));
  }

  remove(name: string, shortName: string, slot: number): void {
    const long = foldName(name);
    const short = foldName(shortName);
    this.#table?.remove(hashText(long, this.#store.seed), slot);
    if (short !== long) this.#table?.remove(hashText(short, this.#store.seed), slot);
  }

  /** Says that slots are in use, or are not. */
  setUsed(slot: number, count: number, used: boolean): boolean {
    if (slot + count > this.#used.length && !this.#growTo(slot + count)) return false;
    this.#used.fill(used ? 1 : 0, slot, slot + count);
    if (!used) this.#freeFrom = Math.min(this.#freeFrom, slot);
    return true;
  }

  /** The first of `count` free slots side by side. */
  findRoom(count: number): number {
    for (let slot = this.#freeFrom; ; ) {
      const free = this.#used.indexOf(0, slot);
      if (free < 0) return this.#used.length;
      if (slot === this.#freeFrom) this.#freeFrom = free;
      let length = 1;
      while (length < count && (this.#used[free + length] ?? 0) === 0) length += 1;
      if (length === count) return free;
      slot = free + length;
    }
  }

  drop(): void {
    this.#table = undefined;
    this.#used = new Uint8Array(0);
    this.#store.giveBack(this, this.#grantedBytes);
    this.#grantedBytes = 0;
  }

  #add(folded: string, slot: number): boolean {
    if (this.#table === undefined) return false;
    if (!this.#grant(this.#table.bytesWithOneMore + this.#used.length)) return false;
    this.#table.add(hashText(folded, this.#store.seed), slot);
    return true;
  }

  #growTo(slots: number): boolean {
    const length = Math.max(slots + SLOTS_PER_GROWTH, this.#used.length * 2);
    if (this.#table === undefined || !this.#grant(this.#table.bytes + length)) return false;
    const used = new Uint8Array(length);
    used.set(this.#used);
    this.#used = used;
    return true;
  }

  #grant(bytes: number): boolean {
    const more = bytes - this.#grantedBytes;
    if (more <= 0) return true;
    if (!this.#store.grant(this, more)) {
      this.drop();
      return false;
    }
    this.#grantedBytes += more;
    return true;
  }
}
