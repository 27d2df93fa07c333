/** Somebody who waits. `exclusive` matters to the reader-writer lock only. */
interface Waiter {
  readonly exclusive: boolean;
  readonly wake: () => void;
  next: Waiter | undefined;
}

/** How many may wait in a queue that a peer can fill. */
export interface WaitBound {
  readonly waitersMax: number;
  /** Makes the error for those who come when the queue is full. */
  readonly refusal: () => Error;
}

/**
 * The first-come, first-served queue under every primitive of this room. Without a bound, whoever
 * owns the queue bounds those who come to it.
 */
export class WaitQueue {
  readonly #bound: WaitBound | undefined;
  #first: Waiter | undefined;
  #last: Waiter | undefined;
  #length = 0;

  constructor(bound?: WaitBound) {
    this.#bound = bound;
  }

  get length(): number {
    return this.#length;
  }

  /** Whether the next in line wants exclusive access; undefined when nobody waits. */
  get firstIsExclusive(): boolean | undefined {
    return this.#first?.exclusive;
  }

  /**
   * Resolves when `wakeFirst` has reached this waiter. Rejects with the bound's refusal when the
   * queue is full.
   */
  wait(exclusive = false): Promise<void> {
    const bound = this.#bound;
    if (bound !== undefined && this.#length >= bound.waitersMax) return Promise.reject(bound.refusal());
    return new Promise((resolve) => {
      const waiter: Waiter = { exclusive, wake: resolve, next: undefined };
      if (this.#last === undefined) this.#first = waiter;
      else this.#last.next = waiter;
      this.#last = waiter;
      this.#length++;
    });
  }

  wakeFirst(): void {
    const waiter = this.#first;
    if (waiter === undefined) return;
    this.#first = waiter.next;
    if (this.#first === undefined) this.#last = undefined;
    this.#length--;
    waiter.wake();
  }
}
