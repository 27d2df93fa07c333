/**
 * The order of all events. Everything that may happen is a task: the arrival of a frame, a timer,
 * the end of a request to the host. Tasks that are ready stand in one list, and the seed picks the
 * next among them; tasks that have a time wait in a heap until it has come. Time is virtual: a task
 * takes some microseconds by the seed, and when nothing is ready the clock jumps to the next task
 * that has a time.
 *
 * Tasks that must keep an order of their own (the frames of one carrier) are given to the scheduler
 * one at a time.
 */
import { assert } from '@ginit/core';
import type { Random } from './random.ts';

/** The bound of a task's duration in microseconds, not included. */
const TASK_US_MAX = 8;

/** Something that will happen. */
export interface Task {
  /** The id of the component that the task belongs to; 0 for the supervisor. */
  readonly owner: number;
  /** One line about the task, for the schedule. */
  readonly describe: () => string;
  readonly run: () => void;
}

/** A task in the scheduler. */
export interface Scheduled {
  readonly task: Task;
  dueUs: number;
  cancelled: boolean;
}

interface Waiting {
  readonly scheduled: Scheduled;
  /** The number that orders tasks of the same time: the order in which they were added. */
  readonly number: number;
}

/** The next step: a task, or why there is none. */
export type Next = Task | 'nothing' | 'too late';

/** The tasks of one system, and its clock. */
export class Scheduler {
  readonly #random: Random;
  readonly #ready: Scheduled[] = [];
  /** The tasks that have a time, in a binary heap with the earliest first. */
  readonly #later: Waiting[] = [];
  /** The components that get no turn before a time. */
  readonly #held = new Map<number, number>();
  /** For each component that was held: the time at which it could last go on. */
  readonly #heldUntil = new Map<number, number>();
  #nowUs = 0;
  #count = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Virtual microseconds since the start. */
  get nowUs(): number {
    return this.#nowUs;
  }

  /** Whether anything could happen without time passing. */
  get busy(): boolean {
    return this.#ready.length > 0;
  }

  /** The time of the next task, if there is one; it may be one that is cancelled. */
  get nextUs(): number | undefined {
    return this.busy ? this.#nowUs : this.#later[0]?.scheduled.dueUs;
  }

  /** Adds a task that may happen from now on. */
  soon(task: Task): Scheduled {
    const scheduled = { task, dueUs: this.#nowUs, cancelled: false };
    this.#ready.push(scheduled);
    return scheduled;
  }

  /** Adds a task that may happen from a time on, never before. */
  at(dueUs: number, task: Task): Scheduled {
    if (dueUs <= this.#nowUs) return this.soon(task);
    const scheduled = { task, dueUs, cancelled: false };
    this.#push({ scheduled, number: this.#count++ });
    return scheduled;
  }

  /** Adds a task that may happen from `us` microseconds after now. */
  after(us: number, task: Task): Scheduled {
    return this.at(this.#nowUs + Math.max(0, Math.ceil(us)), task);
  }

  /** Holds a component: none of its tasks happens for the given time. */
  hold(owner: number, us: number): void {
    const untilUs = Math.max(this.#held.get(owner) ?? 0, this.#nowUs + us);
    this.#held.set(owner, untilUs);
    this.#heldUntil.set(owner, untilUs);
  }

  /** The time until which a component is held, or was held the last time. */
  heldUntilUs(owner: number): number {
    return this.#heldUntil.get(owner) ?? 0;
  }

  /** The time at which the last of the components that are held now goes on. */
  get allGoOnUs(): number {
    return Math.max(this.#nowUs, ...this.#held.values());
  }

  /**
   * The task that waits longest of those that could have happened, and the time since which it
   * waits.
   */
  get waitsLongest(): { readonly task: Task; readonly sinceUs: number } | undefined {
    let longest: Scheduled | undefined;
    for (const scheduled of this.#ready) {
      const heldUs = this.#held.get(scheduled.task.owner) ?? 0;
      if (scheduled.cancelled || heldUs > this.#nowUs) continue;
      if (!longest || scheduled.dueUs < longest.dueUs) longest = scheduled;
    }
    return longest && { task: longest.task, sinceUs: longest.dueUs };
  }

  /** Takes the next task out. Time goes on, but not beyond `limitUs`. */
  next(limitUs: number): Next {
    for (;;) {
      this.#dueNow();
      if (this.#ready.length === 0) {
        const first = this.#later[0];
        if (!first) return 'nothing';
        const { dueUs } = first.scheduled;
        if (dueUs > limitUs) return 'too late';
        this.#nowUs = Math.max(this.#nowUs, dueUs);
        continue;
      }
      // Nothing is taken out that is not done then: a caller may go on with a later limit.
      if (this.#nowUs > limitUs) return 'too late';
      const picked = this.#pick();
      if (picked.cancelled || this.#putOff(picked)) continue;
      this.#nowUs += this.#random.below(TASK_US_MAX);
      return picked.task;
    }
  }

  /** Puts off the task of a component that is held until the component is not held any more. */
  #putOff(picked: Scheduled): boolean {
    const { owner } = picked.task;
    const untilUs = this.#held.get(owner);
    if (untilUs === undefined) return false;
    if (untilUs <= this.#nowUs) {
      this.#held.delete(owner);
      return false;
    }
    picked.dueUs = untilUs;
    this.#push({ scheduled: picked, number: this.#count++ });
    return true;
  }

  #pick(): Scheduled {
    const index = this.#random.below(this.#ready.length);
    const picked = this.#ready[index];
    const last = this.#ready.pop();
    assert(picked !== undefined && last !== undefined, 'one of the ready tasks was picked');
    if (index < this.#ready.length) this.#ready[index] = last;
    return picked;
  }

  #dueNow(): void {
    for (let first = this.#later[0]; first; first = this.#later[0]) {
      const { scheduled } = first;
      if (!scheduled.cancelled && scheduled.dueUs > this.#nowUs) return;
      this.#pop();
      if (!scheduled.cancelled) this.#ready.push(scheduled);
    }
  }

  #push(waiting: Waiting): void {
    const heap = this.#later;
    let index = heap.length;
    heap.push(waiting);
    while (index > 0) {
      const above = (index - 1) >> 1;
      if (!this.#swapIfEarlier(index, above)) return;
      index = above;
    }
  }

  #pop(): void {
    const heap = this.#later;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    heap[0] = last;
    for (let index = 0; ; ) {
      const left = 2 * index + 1;
      const lower = earlier(heap[left + 1], heap[left]) ? left + 1 : left;
      if (lower >= heap.length || !this.#swapIfEarlier(lower, index)) return;
      index = lower;
    }
  }

  #swapIfEarlier(lower: number, upper: number): boolean {
    const [a, b] = [this.#later[lower], this.#later[upper]];
    if (!a || !b || !earlier(a, b)) return false;
    this.#later[upper] = a;
    this.#later[lower] = b;
    return true;
  }
}

function earlier(a: Waiting | undefined, b: Waiting | undefined): boolean {
  if (!a || !b) return false;
  const beforeUs = a.scheduled.dueUs - b.scheduled.dueUs;
  return beforeUs < 0 || (beforeUs === 0 && a.number < b.number);
}
