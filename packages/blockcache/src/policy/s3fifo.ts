import { Ghosts } from '../directory/ghosts.ts';
import {
  EVICT_TRIES_MAX,
  eachFromLast,
  type PolicyMemory,
  type ReplacementPolicy,
} from './replacement-policy.ts';

/** New chunks, a tenth of the cache, and the others. The newest comes first. */
const SMALL = 1;
const MAIN = 2;
const SMALL_PART = 0.1;
const USES_MAX = 3;
/** A chunk that was used so often in the small queue goes to the main one. */
const USES_TO_STAY = 1;

/**
 * S3-FIFO: three queues that are never reordered. New chunks come into the small one; at its end
 * those that were used go to the main queue, the others are only remembered. A chunk that comes
 * back while it is remembered goes to the main queue at once. At the end of the main queue what was
 * used goes around again, up to three times. (J. Yang et al., "FIFO queues are all you need for
 * cache eviction", SOSP 2023.)
 */
export class S3Fifo implements ReplacementPolicy {
  readonly #memory: PolicyMemory;
  #ghosts: Ghosts;
  #smallMax = 0;
  #ghostHits = 0;

  constructor(memory: PolicyMemory) {
    this.#memory = memory;
    this.#ghosts = this.#newGhosts();
  }

  get byteLength(): number {
    return this.#ghosts.byteLength;
  }

  get ghostHits(): number {
    return this.#ghostHits;
  }

  hit(slot: number): void {
    const { queues } = this.#memory;
    const uses = queues.bits(slot);
    if (uses < USES_MAX) queues.setBits(slot, uses + 1);
  }

  insert(slot: number, chunk: number): void {
    const { queues } = this.#memory;
    const known = this.#ghosts.remove(chunk) !== 0;
    if (known) this.#ghostHits++;
    queues.setBits(slot, 0);
    queues.putFirst(slot, known ? MAIN : SMALL);
  }

  remove(slot: number): void {
    this.#memory.queues.remove(slot);
  }

  evict(_incoming: number, mayGo: (slot: number) => boolean): number {
    const { queues } = this.#memory;
    // Each slot may move from the small queue, and go around the main one, as often as it was used.
    let steps = (USES_MAX + 2) * (queues.length(SMALL) + queues.length(MAIN));
    for (let tries = 0; steps > 0; steps--) {
      const fromSmall =
        queues.length(SMALL) > 0 && (queues.length(SMALL) >= this.#smallMax || queues.length(MAIN) === 0);
      const slot = queues.last(fromSmall ? SMALL : MAIN);
      const uses = queues.bits(slot);
      if (fromSmall && uses > USES_TO_STAY) {
        queues.setBits(slot, 0);
        queues.putFirst(slot, MAIN);
      } else if (!fromSmall && uses > 0) {
        queues.setBits(slot, uses - 1);
        queues.putFirst(slot, MAIN);
      } else if (mayGo(slot)) {
        queues.remove(slot);
        if (fromSmall) this.#remember(this.#memory.chunks[slot] ?? 0);
        return slot;
      } else {
        queues.putFirst(slot, MAIN);
        if (++tries >= EVICT_TRIES_MAX) return -1;
      }
    }
    return -1;
  }

  move(from: number, to: number): void {
    this.#memory.queues.move(from, to);
  }

  adopt(slot: number): void {
    this.#memory.queues.setBits(slot, 0);
    this.#memory.queues.putFirst(slot, MAIN);
  }

  each(visit: (slot: number) => void): void {
    eachFromLast(this.#memory.queues, SMALL, visit);
    eachFromLast(this.#memory.queues, MAIN, visit);
  }

  resized(): void {
    const old = this.#ghosts;
    this.#ghosts = this.#newGhosts();
    let tooMany = Math.max(0, old.length(1) - this.#ghosts.entriesMax);
    old.each((chunk) => {
      if (tooMany > 0) tooMany--;
      else this.#ghosts.add(chunk, 1);
    });
  }

  #newGhosts(): Ghosts {
    const { slots, chunkCount } = this.#memory;
    this.#smallMax = Math.max(1, Math.floor(slots * SMALL_PART));
    return new Ghosts(Math.max(1, slots - this.#smallMax), chunkCount);
  }

  #remember(chunk: number): void {
    if (this.#ghosts.length(1) >= this.#ghosts.entriesMax) this.#ghosts.removeOldest(1);
    this.#ghosts.add(chunk, 1);
  }
}
