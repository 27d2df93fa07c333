/**
 * What came back of a child that has ended, and is in init's account now: from here the clients of the child get back what
 * they had donated to it. Most of it comes with the child's account; the rest with the sessions that the child had open
 * itself, if a mediator had passed donations on.
 */
import type { Resources } from '@ginit/core/system';
import { quietDeferred } from '@ginit/core/async';
import { atMost, isNothing, minus, NOTHING, plus } from './amounts.ts';

/** The quota that one child has left behind. */
export class Leftover {
  readonly #accountEnded = quietDeferred<void>();
  readonly #complete = quietDeferred<void>();
  #left = NOTHING;

  /** The child's account has ended; so much came with it. */
  accountEnded(amount: Resources): void {
    this.add(amount);
    this.#accountEnded.resolve();
  }

  /** So much came with a session of the child's. */
  add(amount: Resources): void {
    this.#left = plus(this.#left, amount);
  }

  /** Nothing more is to come. */
  complete(): void {
    this.#complete.resolve();
  }

  /**
   * Takes up to `wanted`, when the account has ended. With `patient` it waits for what comes later, if there is not enough;
   * who has ended itself must not, or two that have served each other would wait for ever.
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
