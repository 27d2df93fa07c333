import { SlotLinks, SlotList } from '../slot-list.ts';
import { EVICT_TRIES_MAX, type ReplacementPolicy } from './replacement-policy.ts';

/** Least recently used: the chunk goes whose last use is longest ago. */
export class Lru implements ReplacementPolicy {
  /** The most recently used first. */
  readonly #order: SlotList;

  constructor(slots: number) {
    this.#order = new SlotList(new SlotLinks(slots));
  }

  hit(slot: number): void {
    this.#order.moveFirst(slot);
  }

  insert(slot: number): void {
    this.#order.addFirst(slot);
  }

  remove(slot: number): void {
    this.#order.remove(slot);
  }

  evict(_incoming: number, mayGo: (slot: number) => boolean): number {
    let slot = this.#order.last;
    for (let tries = 0; slot >= 0 && tries < EVICT_TRIES_MAX; tries++) {
      if (mayGo(slot)) {
        this.#order.remove(slot);
        return slot;
      }
      slot = this.#order.before(slot);
    }
    return -1;
  }
}
