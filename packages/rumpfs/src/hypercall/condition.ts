import { WaitQueue } from './wait-queue.ts';

/** "Look again": waiters wake in the order in which they came and check for themselves what they wait for. */
export class Condition {
  readonly #queue = new WaitQueue();

  get waiters(): number {
    return this.#queue.length;
  }

  wait(): Promise<void> {
    return this.#queue.wait(false);
  }

  wakeOne(): void {
    this.#queue.wakeFirst();
  }

  wakeAll(): void {
    for (let left = this.#queue.length; left > 0; left -= 1) this.#queue.wakeFirst();
  }
}
