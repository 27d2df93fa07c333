/**
 * Steps that decide about children, for instance whether one is started again. Only when none is
 * under way it is known that no child is left; then that is said, once.
 */
import type { Env } from '@ginit/core';

/** The decisions of one sandbox that are under way. */
export class Undecided {
  readonly #env: Pick<Env, 'log' | 'error'>;
  readonly #isAlone: () => boolean;
  readonly #decided: () => void;
  #count = 0;
  #said = false;

  /**
   * `isAlone` says whether no child is left and nobody has asked for that; `decided` is called
   * after every step.
   */
  constructor(env: Pick<Env, 'log' | 'error'>, isAlone: () => boolean, decided: () => void) {
    this.#env = env;
    this.#isAlone = isAlone;
    this.#decided = decided;
  }

  /** Does such a step, which nobody waits for. */
  decide(what: () => Promise<void>): void {
    this.during(what).catch((error: unknown) => this.#env.error(String(error)));
  }

  /** Does such a step. */
  async during(what: () => Promise<void>): Promise<void> {
    this.#count++;
    try {
      await what();
    } finally {
      this.#count--;
      this.#decided();
    }
    if (this.#count > 0 || this.#said || !this.#isAlone()) return;
    this.#said = true;
    await this.#env.log('no child is left; waiting to be stopped');
  }

  /** Children have come: it is to be said again when they are gone. */
  sayAgain(): void {
    this.#said = false;
  }
}
