/**
 * Queues of slots, as doubly linked lists in typed arrays: each slot is in one queue or in none,
 * and every operation takes the same few instructions however many slots there are. Beside the
 * number of its queue each slot has a few bits for its policy. Nine bytes a slot.
 */
import { assert } from '@ginit/core';

/** The number of queues; they are numbered from 1. Queue 0 means "in none". */
const QUEUES = 7;
/** Heads of the queues come first in the arrays, so that they stay where they are in a resize. */
const HEADS = QUEUES + 1;
/** The lowest bits of a mark: the queue. */
const QUEUE_MASK = 7;
const BITS_SHIFT = 3;

export class SlotQueues {
  #next: Int32Array;
  #previous: Int32Array;
  #marks: Uint8Array;
  readonly #lengths = new Int32Array(HEADS);

  constructor(slots: number) {
    this.#next = new Int32Array(HEADS + slots);
    this.#previous = new Int32Array(HEADS + slots);
    this.#marks = new Uint8Array(slots);
    this.#closeHeads();
  }

  get slots(): number {
    return this.#marks.length;
  }

  get byteLength(): number {
    return this.#next.byteLength + this.#previous.byteLength + this.#marks.byteLength;
  }

  queueOf(slot: number): number {
    return (this.#marks[slot] ?? 0) & QUEUE_MASK;
  }

  /** The policy's bits of a slot: a number from 0 to 31. */
  bits(slot: number): number {
    return (this.#marks[slot] ?? 0) >> BITS_SHIFT;
  }

  setBits(slot: number, bits: number): void {
    this.#marks[slot] = ((this.#marks[slot] ?? 0) & QUEUE_MASK) | (bits << BITS_SHIFT);
  }

  length(queue: number): number {
    return this.#lengths[queue] ?? 0;
  }

  /** The slot at the front of the queue; -1 when it is empty. */
  first(queue: number): number {
    return (this.#next[queue] ?? 0) - HEADS < 0 ? -1 : (this.#next[queue] ?? 0) - HEADS;
  }

  /** The slot at the end of the queue; -1 when it is empty. */
  last(queue: number): number {
    return (this.#previous[queue] ?? 0) - HEADS < 0 ? -1 : (this.#previous[queue] ?? 0) - HEADS;
  }

  /** The slot before this one in its queue; -1 at the front. */
  before(slot: number): number {
    return Math.max(-1, (this.#previous[slot + HEADS] ?? 0) - HEADS);
  }

  /** Puts the slot at the front of a queue, taking it out of the queue where it is. */
  putFirst(slot: number, queue: number): void {
    this.remove(slot);
    this.#link(slot, queue, queue);
  }

  /** Puts the slot at the end of a queue, taking it out of the queue where it is. */
  putLast(slot: number, queue: number): void {
    this.remove(slot);
    this.#link(slot, queue, this.#previous[queue] ?? 0);
  }

  /** Takes the slot out of its queue, if it is in one. Its bits stay. */
  remove(slot: number): void {
    const mark = this.#marks[slot] ?? 0;
    const queue = mark & QUEUE_MASK;
    if (queue === 0) return;
    const next = this.#next[slot + HEADS] ?? 0;
    const previous = this.#previous[slot + HEADS] ?? 0;
    this.#next[previous] = next;
    this.#previous[next] = previous;
    this.#marks[slot] = mark & ~QUEUE_MASK;
    this.#lengths[queue] = (this.#lengths[queue] ?? 0) - 1;
  }

  /** Puts slot `to`, which is in no queue, in the place of `from`. */
  move(from: number, to: number): void {
    const queue = this.queueOf(from);
    assert(this.queueOf(to) === 0, 'the new place is empty');
    const previous = this.#previous[from + HEADS] ?? 0;
    this.remove(from);
    if (queue !== 0) this.#link(to, queue, previous);
    this.setBits(to, this.bits(from));
  }

  /** Changes the number of slots. Slots that go are in no queue. */
  resize(slots: number): void {
    for (let slot = slots; slot < this.slots; slot++) assert(this.queueOf(slot) === 0, 'what goes is empty');
    const resize = (links: Int32Array): Int32Array => {
      const copy = new Int32Array(HEADS + slots);
      copy.set(links.subarray(0, Math.min(links.length, copy.length)));
      return copy;
    };
    const marks = new Uint8Array(slots);
    marks.set(this.#marks.subarray(0, Math.min(slots, this.slots)));
    this.#next = resize(this.#next);
    this.#previous = resize(this.#previous);
    this.#marks = marks;
  }

  /** Empties all queues and clears all bits. */
  clear(): void {
    this.#marks.fill(0);
    this.#lengths.fill(0);
    this.#closeHeads();
  }

  #closeHeads(): void {
    for (let head = 0; head < HEADS; head++) {
      this.#next[head] = head;
      this.#previous[head] = head;
    }
  }

  /** Puts the slot behind `previous`, a member of `queue` or its head. */
  #link(slot: number, queue: number, previous: number): void {
    const next = this.#next[previous] ?? 0;
    const at = slot + HEADS;
    this.#next[at] = next;
    this.#previous[at] = previous;
    this.#previous[next] = at;
    this.#next[previous] = at;
    this.#marks[slot] = ((this.#marks[slot] ?? 0) & ~QUEUE_MASK) | queue;
    this.#lengths[queue] = (this.#lengths[queue] ?? 0) + 1;
  }
}
