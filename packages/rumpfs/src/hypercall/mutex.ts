import { assert } from '../errors.ts';
import { WaitQueue } from './wait-queue.ts';

/** Mutual exclusion across awaits, handed on in the order of asking. */
export class Mutex {
  #held = false;
  readonly #queue = new WaitQueue();

  async acquire(): Promise<void> {
    if (!this.#held) this.#held = true;
    else await this.#queue.wait(true);
  }

  /** Hands the mutex to the next in line, who then holds it without any gap. */
  release(): void {
    assert(this.#held, 'release of a mutex that nobody holds');
    if (this.#queue.length > 0) this.#queue.wakeFirst();
    else this.#held = false;
  }
}
