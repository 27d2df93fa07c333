import { assert } from '../errors.ts';
import { type WaitBound, WaitQueue } from './wait-queue.ts';

/** Mutual exclusion across awaits, handed on in the order of asking. */
export class Mutex {
  readonly #queue: WaitQueue;
  #held = false;

  constructor(bound?: WaitBound) {
    this.#queue = new WaitQueue(bound);
  }

  get held(): boolean {
    return this.#held;
  }

  /** Resolves when the caller holds the mutex; the caller gives it back by `release`. */
  acquire(): Promise<void> {
    if (this.#held) return this.#queue.wait();
    this.#held = true;
    return Promise.resolve();
  }

  /** Hands the mutex to the next in line, who then holds it without any gap. */
  release(): void {
    assert(this.#held, 'a mutex that is released is held');
    if (this.#queue.length > 0) this.#queue.wakeFirst();
    else this.#held = false;
  }
}
