import {
  eachFromLast,
  lastThatMayGo,
  type PolicyMemory,
  type ReplacementPolicy,
} from './replacement-policy.ts';

/** The only queue: the most recently used chunk comes first. */
const ORDER = 1;

/** Least recently used: removes the chunk whose last use is longest ago. */
export class Lru implements ReplacementPolicy {
  readonly byteLength = 0;
  readonly ghostHits = 0;
  readonly #memory: PolicyMemory;

  constructor(memory: PolicyMemory) {
    this.#memory = memory;
  }

  hit(slot: number): void {
    this.#memory.queues.putFirst(slot, ORDER);
  }

  insert(slot: number): void {
    this.#memory.queues.putFirst(slot, ORDER);
  }

  remove(slot: number): void {
    this.#memory.queues.remove(slot);
  }

  evict(_incoming: number, mayGo: (slot: number) => boolean): number {
    const slot = lastThatMayGo(this.#memory.queues, ORDER, mayGo);
    if (slot >= 0) this.#memory.queues.remove(slot);
    return slot;
  }

  move(from: number, to: number): void {
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
