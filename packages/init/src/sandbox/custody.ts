/**
 * What children have donated for the sessions of their configs, which init serves itself. It lies
 * in init's account and is to be given back.
 */
import type { Resources } from '@ginit/core/system';
import { minus, NOTHING, plus } from './amounts.ts';

/** Donations in the keeping of one sandbox. */
export class Custody {
  #amount: Resources = NOTHING;

  /** Everything that has come and has not been given back. */
  get amount(): Resources {
    return this.#amount;
  }

  /** A session was opened, or upgraded, with so much that its object has not used up. */
  take(amount: Resources): void {
    this.#amount = plus(this.#amount, amount);
  }

  /** A session was closed. */
  giveBack(amount: Resources): void {
    this.#amount = minus(this.#amount, amount);
  }
}
