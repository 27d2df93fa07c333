import { FrequencySketch } from '../directory/frequency-sketch.ts';
import {
  EVICT_TRIES_MAX,
  eachFromLast,
  lastThatMayGo,
  type PolicyMemory,
  type ReplacementPolicy,
} from './replacement-policy.ts';

/** New chunks, then those that got into the main part, then those of them that were used there. */
const WINDOW = 1;
const PROBATION = 2;
const PROTECTED = 3;
const WINDOW_PART = 0.01;
const PROTECTED_PART = 0.8;
const TRIES_EACH = Math.floor(EVICT_TRIES_MAX / 4);

/**
 * W-TinyLFU: a chunk that leaves the window for new chunks gets into the main part only if it was
 * used more often than the one that would have to go there. A sketch knows how often chunks were
 * used, also those that are not in the cache. The main part is a segmented LRU. (G. Einziger, R.
 * Friedman, B. Manes, "TinyLFU: A Highly Efficient Cache Admission Policy", 2017.)
 */
export class WTinyLfu implements ReplacementPolicy {
  readonly ghostHits = 0;
  readonly #memory: PolicyMemory;
  #sketch: FrequencySketch;
  #windowMax = 0;
  #protectedMax = 0;

  constructor(memory: PolicyMemory) {
    this.#memory = memory;
    this.#sketch = new FrequencySketch(memory.slots);
    this.#setBounds();
  }

  get byteLength(): number {
    return this.#sketch.byteLength;
  }

  hit(slot: number): void {
    const { queues, chunks } = this.#memory;
    this.#sketch.add(chunks[slot] ?? 0);
    const queue = queues.queueOf(slot);
    if (queue !== PROBATION) return queues.putFirst(slot, queue);
    queues.putFirst(slot, PROTECTED);
    if (queues.length(PROTECTED) > this.#protectedMax) queues.putFirst(queues.last(PROTECTED), PROBATION);
  }

  insert(slot: number, chunk: number): void {
    const { queues } = this.#memory;
    this.#sketch.add(chunk);
    queues.putFirst(slot, WINDOW);
    if (queues.length(WINDOW) > this.#windowMax) queues.putFirst(queues.last(WINDOW), PROBATION);
  }

  remove(slot: number): void {
    this.#memory.queues.remove(slot);
  }

  evict(_incoming: number, mayGo: (slot: number) => boolean): number {
    const { queues, chunks } = this.#memory;
    const candidate =
      queues.length(WINDOW) >= this.#windowMax ? lastThatMayGo(queues, WINDOW, mayGo, TRIES_EACH) : -1;
    let victim = lastThatMayGo(queues, PROBATION, mayGo, TRIES_EACH);
    if (victim < 0) victim = lastThatMayGo(queues, PROTECTED, mayGo, TRIES_EACH);
    if (victim < 0 && candidate < 0) victim = lastThatMayGo(queues, WINDOW, mayGo, TRIES_EACH);
    if (candidate < 0 || victim < 0) return this.#take(candidate < 0 ? victim : candidate);
    const { frequency } = this;
    if (frequency(chunks[candidate] ?? 0) <= frequency(chunks[victim] ?? 0)) return this.#take(candidate);
    queues.putFirst(candidate, PROBATION);
    return this.#take(victim);
  }

  readonly frequency = (chunk: number): number => this.#sketch.frequency(chunk);

  move(from: number, to: number): void {
    this.#memory.queues.move(from, to);
  }

  adopt(slot: number): void {
    // The sketch knows nothing yet: what comes in must not seem to be used more than what is there.
    this.#sketch.add(this.#memory.chunks[slot] ?? 0);
    this.#memory.queues.putFirst(slot, PROBATION);
  }

  each(visit: (slot: number) => void): void {
    for (const queue of [WINDOW, PROBATION, PROTECTED]) eachFromLast(this.#memory.queues, queue, visit);
  }

  resized(): void {
    this.#sketch = new FrequencySketch(this.#memory.slots);
    this.#setBounds();
    const { queues } = this.#memory;
    while (queues.length(WINDOW) > this.#windowMax) queues.putFirst(queues.last(WINDOW), PROBATION);
    while (queues.length(PROTECTED) > this.#protectedMax) queues.putFirst(queues.last(PROTECTED), PROBATION);
  }

  #setBounds(): void {
    const { slots } = this.#memory;
    this.#windowMax = Math.max(1, Math.round(slots * WINDOW_PART));
    this.#protectedMax = Math.max(1, Math.floor((slots - this.#windowMax) * PROTECTED_PART));
  }

  #take(slot: number): number {
    if (slot >= 0) this.#memory.queues.remove(slot);
    return slot;
  }
}
