import { assert, at } from '../errors.ts';

/**
 * Doubly linked lists of slot numbers in typed arrays: each slot is in one list or in none, and every
 * operation takes the same few instructions however many slots there are. (An ordered Map used as an LRU list
 * is a hundred times slower once it holds tens of thousands of entries.)
 */
export class SlotLists {
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #list: Uint8Array;
  readonly #lengths: Int32Array;
  readonly #slotCount: number;

  /** `listCount` lists are numbered from 1; list 0 means "in none". */
  constructor(slotCount: number, listCount: number) {
    this.#slotCount = slotCount;
    this.#next = new Int32Array(slotCount + listCount + 1);
    this.#previous = new Int32Array(slotCount + listCount + 1);
    this.#list = new Uint8Array(slotCount);
    this.#lengths = new Int32Array(listCount + 1);
    for (let sentinel = slotCount; sentinel < this.#next.length; sentinel += 1) {
      this.#next[sentinel] = sentinel;
      this.#previous[sentinel] = sentinel;
    }
  }

  listOf(slot: number): number {
    return at(this.#list, slot);
  }

  length(list: number): number {
    return at(this.#lengths, list);
  }

  /** The oldest slot of the list; -1 when it is empty. */
  last(list: number): number {
    const slot = at(this.#previous, this.#slotCount + list);
    return slot < this.#slotCount ? slot : -1;
  }

  /** The slot that follows towards the newer end; -1 behind the newest. */
  newer(slot: number): number {
    const previous = at(this.#previous, slot);
    return previous < this.#slotCount ? previous : -1;
  }

  /** Puts the slot at the newest end of `list`, taking it out of the list where it is. */
  putFirst(slot: number, list: number): void {
    this.remove(slot);
    assert(list > 0 && list < this.#lengths.length, 'a list that exists');
    const sentinel = this.#slotCount + list;
    const first = at(this.#next, sentinel);
    this.#next[slot] = first;
    this.#previous[slot] = sentinel;
    this.#previous[first] = slot;
    this.#next[sentinel] = slot;
    this.#list[slot] = list;
    this.#lengths[list] = at(this.#lengths, list) + 1;
  }

  /** Takes the slot out of its list, if it is in one. */
  remove(slot: number): void {
    const list = at(this.#list, slot);
    if (list === 0) return;
    const next = at(this.#next, slot);
    const previous = at(this.#previous, slot);
    this.#next[previous] = next;
    this.#previous[next] = previous;
    this.#list[slot] = 0;
    this.#lengths[list] = at(this.#lengths, list) - 1;
  }
}
