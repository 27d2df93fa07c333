import {
  EVICT_TRIES_MAX,
  eachFromLast,
  type PolicyMemory,
  type ReplacementPolicy,
} from './replacement-policy.ts';

/** The only queue: the newest chunk comes first. */
const ORDER = 1;
const VISITED = 1;

/**
 * SIEVE: chunks stay in the order in which they came; a use only marks them. A hand goes from the
 * oldest to the newest, takes marks away and removes the first chunk without one. New chunks so
 * have less time than old ones to be used again. (Y. Zhang et al., "SIEVE is Simpler than LRU",
 * NSDI 2024.)
 */
export class Sieve implements ReplacementPolicy {
  readonly byteLength = 0;
  readonly ghostHits = 0;
  readonly #memory: PolicyMemory;
  #hand = -1;

  constructor(memory: PolicyMemory) {
    this.#memory = memory;
  }

  hit(slot: number): void {
    this.#memory.queues.setBits(slot, VISITED);
  }

  insert(slot: number): void {
    this.#memory.queues.setBits(slot, 0);
    this.#memory.queues.putFirst(slot, ORDER);
  }

  remove(slot: number): void {
    if (this.#hand === slot) this.#hand = this.#memory.queues.before(slot);
    this.#memory.queues.remove(slot);
  }

  evict(_incoming: number, mayGo: (slot: number) => boolean): number {
    const { queues } = this.#memory;
    // Twice around: the first time may have been for the marks.
    for (let steps = 2 * queues.length(ORDER), tries = 0; steps > 0; steps--) {
      const slot = this.#hand >= 0 ? this.#hand : queues.last(ORDER);
      this.#hand = queues.before(slot);
      if (queues.bits(slot) !== 0) queues.setBits(slot, 0);
      else if (mayGo(slot)) {
        queues.remove(slot);
        return slot;
      } else if (++tries >= EVICT_TRIES_MAX) return -1;
    }
    return -1;
  }

  move(from: number, to: number): void {
    if (this.#hand === from) this.#hand = to;
    this.#memory.queues.move(from, to);
  }

  adopt(slot: number): void {
    this.insert(slot);
  }

  each(visit: (slot: number) => void): void {
    eachFromLast(this.#memory.queues, ORDER, visit);
  }

  resized(): void {}
}
