import { type GhostList, Ghosts } from '../directory/ghosts.ts';
import {
  EVICT_TRIES_MAX,
  eachFromLast,
  lastThatMayGo,
  type PolicyMemory,
  type ReplacementPolicy,
} from './replacement-policy.ts';

/** Chunks used once lately, and more than once; the most recently used comes first. T1 and T2. */
const ONCE = 1;
const OFTEN = 2;
const TRIES_EACH = EVICT_TRIES_MAX / 2;

/**
 * ARC: chunks that were used once and those that were used more often have a queue each. What
 * leaves a queue is remembered (B1 and B2, here the ghost lists of the same numbers); a miss of
 * such a chunk tells which queue is too short, and `target`, the length that queue ONCE should
 * have, moves. (N. Megiddo, D. Modha, "ARC: A Self-Tuning, Low Overhead Replacement Cache", FAST
 * 2003.)
 */
export class Arc implements ReplacementPolicy {
  readonly #memory: PolicyMemory;
  #ghosts: Ghosts;
  #target = 0;
  /** The chunk for which `evict` has moved the target already, and the list that it was in. */
  #adapted = -1;
  #adaptedList: 0 | GhostList = 0;
  #ghostHits = 0;

  constructor(memory: PolicyMemory) {
    this.#memory = memory;
    this.#ghosts = new Ghosts(memory.slots, memory.chunkCount);
  }

  get byteLength(): number {
    return this.#ghosts.byteLength;
  }

  get ghostHits(): number {
    return this.#ghostHits;
  }

  hit(slot: number): void {
    this.#memory.queues.putFirst(slot, OFTEN);
  }

  insert(slot: number, chunk: number): void {
    const list = this.#adapt(chunk);
    this.#adapted = -1;
    this.#memory.queues.putFirst(slot, list === 0 ? ONCE : OFTEN);
  }

  remove(slot: number): void {
    this.#memory.queues.remove(slot);
  }

  evict(incoming: number, mayGo: (slot: number) => boolean): number {
    const { queues, slots } = this.#memory;
    const ghosts = this.#ghosts;
    const list = this.#adapt(incoming);
    const once = queues.length(ONCE);
    if (list === 0 && once + ghosts.length(1) >= slots) {
      if (ghosts.length(1) > 0) ghosts.removeOldest(1);
      else return this.#take(ONCE, mayGo, false);
    }
    const fromOnce = once > 0 && (once > this.#target || (list === 2 && once === Math.floor(this.#target)));
    const slot = this.#take(fromOnce ? ONCE : OFTEN, mayGo, true);
    return slot >= 0 ? slot : this.#take(fromOnce ? OFTEN : ONCE, mayGo, true);
  }

  move(from: number, to: number): void {
    this.#memory.queues.move(from, to);
  }

  adopt(slot: number): void {
    // What is used again shows itself soon; until then the order alone decides.
    this.#memory.queues.putFirst(slot, OFTEN);
  }

  /**
   * With its target at 0 and all chunks in one queue ARC may stay for good where it hits ten points
   * less than it does from its own beginnings: it has more than one balance.
   */
  resemble(other: ReplacementPolicy | undefined): void {
    if (!(other instanceof Arc)) return;
    const { queues, slots } = this.#memory;
    const { queues: its, slots: itsSlots } = other.#memory;
    const held = its.length(ONCE) + its.length(OFTEN);
    if (held === 0) return;
    this.#target = Math.min(slots, (other.#target * slots) / itsSlots);
    const once = Math.floor((queues.length(OFTEN) * its.length(ONCE)) / held);
    for (let left = once; left > 0; left--) queues.putFirst(queues.last(OFTEN), ONCE);
  }

  each(visit: (slot: number) => void): void {
    eachFromLast(this.#memory.queues, ONCE, visit);
    eachFromLast(this.#memory.queues, OFTEN, visit);
  }

  resized(): void {
    const { slots, chunkCount } = this.#memory;
    const old = this.#ghosts;
    this.#ghosts = new Ghosts(slots, chunkCount);
    // The newest of each list stay, as many as there is room for.
    let tooMany = Math.max(0, old.length(1) + old.length(2) - slots);
    old.each((chunk, list) => {
      if (tooMany > 0) tooMany--;
      else this.#ghosts.add(chunk, list);
    });
    this.#target = Math.min(this.#target, slots);
  }

  /**
   * Moves the target if the chunk is remembered, and forgets the chunk. The result is the list that
   * it was in, or 0. Before the next `insert` only the first call for a chunk does something.
   */
  #adapt(chunk: number): 0 | GhostList {
    if (this.#adapted === chunk) return this.#adaptedList;
    const ghosts = this.#ghosts;
    const list = ghosts.listOf(chunk);
    const [once, often] = [ghosts.length(1), ghosts.length(2)];
    if (list === 1) this.#target = Math.min(this.#memory.slots, this.#target + Math.max(1, often / once));
    else if (list === 2) this.#target = Math.max(0, this.#target - Math.max(1, once / often));
    if (list !== 0) {
      ghosts.remove(chunk);
      this.#ghostHits++;
    }
    this.#adapted = chunk;
    this.#adaptedList = list;
    return list;
  }

  /** Takes the least recently used slot that may go out of a queue; its chunk becomes a ghost. */
  #take(queue: typeof ONCE | typeof OFTEN, mayGo: (slot: number) => boolean, remember: boolean): number {
    const { queues, chunks } = this.#memory;
    const slot = lastThatMayGo(queues, queue, mayGo, TRIES_EACH);
    if (slot < 0) return -1;
    queues.remove(slot);
    if (remember) this.#remember(chunks[slot] ?? 0, queue);
    return slot;
  }

  #remember(chunk: number, list: GhostList): void {
    const ghosts = this.#ghosts;
    if (ghosts.entriesMax === 0) return;
    if (ghosts.length(1) + ghosts.length(2) >= ghosts.entriesMax) {
      ghosts.removeOldest(ghosts.length(2) > 0 ? 2 : 1);
    }
    ghosts.add(chunk, list);
  }
}
