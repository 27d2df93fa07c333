import { assert } from './errors.ts';

/**
 * Doubly linked lists of slot numbers in typed arrays: each slot is in one list or in none, and
 * every operation takes the same few instructions however many slots there are. (An ordered Map
 * used as an LRU list is a hundred times slower once it holds tens of thousands of entries.)
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

  /** The slot at the front of the list; -1 when it is empty. */
  first(list: number): number {
    const slot = at(this.#next, this.#slotCount + list);
    return slot < this.#slotCount ? slot : -1;
  }

  /** The slot at the end of the list; -1 when it is empty. */
  last(list: number): number {
    const slot = at(this.#previous, this.#slotCount + list);
    return slot < this.#slotCount ? slot : -1;
  }

  /** The slot behind this one in its list; -1 at the end. */
  after(slot: number): number {
    const next = at(this.#next, slot);
    return next < this.#slotCount ? next : -1;
  }

  /** The slot before this one in its list; -1 at the front. */
  before(slot: number): number {
    const previous = at(this.#previous, slot);
    return previous < this.#slotCount ? previous : -1;
  }

  /** Puts the slot at the front of `list`, taking it out of the list where it is. */
  putFirst(slot: number, list: number): void {
    this.#put(slot, list, this.#slotCount + list);
  }

  /** Puts the slot at the end of `list`, taking it out of the list where it is. */
  putLast(slot: number, list: number): void {
    this.remove(slot);
    this.#put(slot, list, at(this.#previous, this.#slotCount + list));
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

  /** Puts the slot behind `previous`, a member of `list` or its sentinel. */
  #put(slot: number, list: number, previous: number): void {
    this.remove(slot);
    assert(list > 0 && list < this.#lengths.length, 'a list that exists');
    const next = at(this.#next, previous);
    this.#next[slot] = next;
    this.#previous[slot] = previous;
    this.#previous[next] = slot;
    this.#next[previous] = slot;
    this.#list[slot] = list;
    this.#lengths[list] = at(this.#lengths, list) + 1;
  }
}

/** Reads an element that must exist; a slot or list outside the table is a fault of the caller. */
function at(array: Int32Array | Uint8Array, index: number): number {
  const value = array[index];
  assert(value !== undefined, 'a slot that exists');
  return value;
}
