import { hashText } from './hash-text.ts';
import { type IndexOwner, type IndexStore } from './index-store.ts';
import type { MadeIndex } from './lazy-index.ts';
import { NameTable, type TableCursor } from './name-table.ts';

const SLOTS_PER_GROWTH = 128;

/**
 * The index in memory of a directory that consists of slots: which of them an entry with some name
 * may be in, and which are free. Once it is complete, it may lose its memory to
 * another directory's index at any time.
 */
export class SlotIndex implements IndexOwner, MadeIndex {
  usedAt = 0;
  readonly #store: IndexStore;
  #table: NameTable | undefined = new NameTable();
  /** For each slot 1 if it is in use. Slots behind its end are free. */
  #used = new Uint8Array(SLOTS_PER_GROWTH);
  #grantedBytes = 0;
  #complete = false;
  /** For numbers of free slots: there are not as many side by side that begin before this slot. */
  readonly #searched = new Map<number, number>();

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

  /**
   * Adds a name of an entry, folded. False when there is no memory for it; then the index is
   * dropped.
   */
  add(folded: string, slot: number): boolean {
    if (this.#table === undefined) return false;
    if (!this.#grant(this.#table.bytesWithOneMore + this.#used.length)) return false;
    this.#table.add(hashText(folded, this.#store.seed), slot);
    return true;
  }

  remove(folded: string, slot: number): void {
    this.#table?.remove(hashText(folded, this.#store.seed), slot);
  }

  /** Says that slots are in use, or are not. */
  setUsed(slot: number, count: number, used: boolean): boolean {
    if (slot + count > this.#used.length && !this.#growTo(slot + count)) return false;
    this.#used.fill(used ? 1 : 0, slot, slot + count);
    if (!used) {
      for (const [length, end] of this.#searched)
        this.#searched.set(length, Math.min(end, Math.max(0, slot - length)));
    }
    return true;
  }

  /**
   * The first of `count` free slots side by side.
   *
   * @param mayBegin whether they may begin at a slot; always the same function
   */
  findRoom(count: number, mayBegin: (slot: number) => boolean = () => true): number {
    let slot = 0;
    for (const [length, end] of this.#searched) if (length <= count) slot = Math.max(slot, end);
    for (;;) {
      const free = this.#used.indexOf(0, slot);
      let begin = free < 0 ? this.#used.length : free;
      while (!mayBegin(begin)) begin += 1;
      let end = begin;
      while (end < begin + count && (this.#used[end] ?? 0) === 0) end += 1;
      if (end === begin + count) {
        this.#searched.set(count, begin);
        return begin;
      }
      slot = Math.max(end, begin);
    }
  }

  drop(): void {
    this.#table = undefined;
    this.#used = new Uint8Array(0);
    this.#store.giveBack(this, this.#grantedBytes);
    this.#grantedBytes = 0;
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
