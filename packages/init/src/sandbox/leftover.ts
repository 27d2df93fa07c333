/**
 * The quota that came back of a child that has ended, and that is in init's account now. From it
 * the child's clients get back what they had donated to the child. Most of it comes with the
 * child's account. The rest comes with the sessions that the child had open itself, if it was a
 * mediator that passed donations on.
 */
import type { Resources } from '@ginit/core/system';
import { quietDeferred } from '@ginit/core/async';
import { atMost, isNothing, minus, NOTHING, plus } from './amounts.ts';

/** The quota that one child has left behind. */
export class Leftover {
  readonly #accountEnded = quietDeferred<void>();
  readonly #complete = quietDeferred<void>();
  #left = NOTHING;

  /** The child's account has ended, and `amount` came with it. */
  accountEnded(amount: Resources): void {
    this.add(amount);
    this.#accountEnded.resolve();
  }

  /** `amount` came with a session of the child's. */
  add(amount: Resources): void {
    this.#left = plus(this.#left, amount);
  }

  /** Nothing more will come. */
  complete(): void {
    this.#complete.resolve();
  }

  /**
   * Takes up to `wanted`, as soon as the account has ended. If there is not enough and `patient` is
   * set, it waits for the amounts that come later. A client that has ended itself must not be
   * patient: two children that have served each other would wait for each other for ever.
   */
  async take(wanted: Resources, patient: boolean): Promise<Resources> {
    await this.#accountEnded.promise;
    const first = this.#takeNow(wanted);
    const missing = minus(wanted, first);
    if (!patient || isNothing(missing)) return first;
    await this.#complete.promise;
    return plus(first, this.#takeNow(missing));
  }

  #takeNow(wanted: Resources): Resources {
    const taken = atMost(wanted, this.#left);
    this.#left = minus(this.#left, taken);
    return taken;
  }
}
