import { type WaitBound, WaitQueue } from './wait-queue.ts';

/**
 * "Look again": waiters wake in the order in which they came, and check for themselves what they
 * wait for.
 */
export class Condition {
  readonly #queue: WaitQueue;

  constructor(bound?: WaitBound) {
    this.#queue = new WaitQueue(bound);
  }

  get waiters(): number {
    return this.#queue.length;
  }

  wait(): Promise<void> {
    return this.#queue.wait();
  }

  wakeOne(): void {
    this.#queue.wakeFirst();
  }

  /** Wakes those who wait now. */
  wakeAll(): void {
    for (let left = this.#queue.length; left > 0; left--) this.#queue.wakeFirst();
  }
}
