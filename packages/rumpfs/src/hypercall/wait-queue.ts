import { FsError } from '../errors.ts';

/** One who waits. `exclusive` matters to the reader-writer lock only. */
interface Waiter {
  readonly exclusive: boolean;
  readonly wake: () => void;
  next: Waiter | undefined;
}

/**
 * More waiters than this on one lock mean a client that does not bound its requests: the next one is refused.
 */
export const WAITERS_MAX = 16_384;

/** The first-come, first-served and bounded queue under every synchronisation primitive. */
export class WaitQueue {
  #first: Waiter | undefined;
  #last: Waiter | undefined;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Whether the next in line wants exclusive access; undefined when nobody waits. */
  get firstIsExclusive(): boolean | undefined {
    return this.#first?.exclusive;
  }

  /** Resolves when `wakeFirst` reached this waiter. Rejects with `Busy` when the queue is full. */
  wait(exclusive: boolean): Promise<void> {
    if (this.#length >= WAITERS_MAX) {
      return Promise.reject(new FsError('Busy', `more than ${WAITERS_MAX} requests wait for one lock`));
    }
    return new Promise((resolve) => {
      const waiter: Waiter = { exclusive, wake: resolve, next: undefined };
      if (this.#last === undefined) this.#first = waiter;
      else this.#last.next = waiter;
      this.#last = waiter;
      this.#length += 1;
    });
  }

  wakeFirst(): void {
    const waiter = this.#first;
    if (waiter === undefined) return;
    this.#first = waiter.next;
    if (this.#first === undefined) this.#last = undefined;
    this.#length -= 1;
    waiter.wake();
  }
}
