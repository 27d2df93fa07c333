import { SlotLists } from '@ginit/core/block';
import { EVICT_TRIES_MAX, type ReplacementPolicy } from './replacement-policy.ts';

/** The only list: the most recently used chunk comes first. */
const ORDER = 1;

/** Least recently used: removes the chunk whose last use is longest ago. */
export class Lru implements ReplacementPolicy {
  readonly #lists: SlotLists;

  constructor(slots: number) {
    this.#lists = new SlotLists(slots, ORDER);
  }

  hit(slot: number): void {
    this.#lists.putFirst(slot, ORDER);
  }

  insert(slot: number): void {
    this.#lists.putFirst(slot, ORDER);
  }

  remove(slot: number): void {
    this.#lists.remove(slot);
  }

  evict(_incoming: number, mayGo: (slot: number) => boolean): number {
    let slot = this.#lists.last(ORDER);
    for (let tries = 0; slot >= 0 && tries < EVICT_TRIES_MAX; tries++) {
      if (mayGo(slot)) {
        this.#lists.remove(slot);
        return slot;
      }
      slot = this.#lists.before(slot);
    }
    return -1;
  }
}
