import { assert } from '../errors.ts';
import { type WaitBound, WaitQueue } from './wait-queue.ts';

/**
 * Many readers or one writer, first come, first served: a waiting writer holds back the readers
 * behind it, so neither side starves. The `try` forms take the lock without a turn of the microtask
 * queue and never overtake a waiter.
 */
export class ReaderWriterLock {
  #readers = 0;
  #written = false;
  readonly #queue: WaitQueue;

  constructor(bound?: WaitBound) {
    this.#queue = new WaitQueue(bound);
  }

  tryShared(): boolean {
    if (this.#written || this.#queue.length > 0) return false;
    this.#readers++;
    return true;
  }

  tryExclusive(): boolean {
    if (this.#written || this.#readers > 0 || this.#queue.length > 0) return false;
    this.#written = true;
    return true;
  }

  async shared(): Promise<void> {
    if (!this.tryShared()) await this.#queue.wait(false);
  }

  async exclusive(): Promise<void> {
    if (!this.tryExclusive()) await this.#queue.wait(true);
  }

  releaseShared(): void {
    assert(this.#readers > 0, 'a lock that a reader releases has readers');
    this.#readers--;
    this.#handOn();
  }

  releaseExclusive(): void {
    assert(this.#written, 'a lock that a writer releases has a writer');
    this.#written = false;
    this.#handOn();
  }

  /** Gives the lock to the head of the queue: one writer, or every reader up to the next writer. */
  #handOn(): void {
    while (this.#queue.length > 0 && !this.#written) {
      if (this.#queue.firstIsExclusive === true) {
        if (this.#readers > 0) return;
        this.#written = true;
      } else {
        this.#readers++;
      }
      this.#queue.wakeFirst();
    }
  }
}
