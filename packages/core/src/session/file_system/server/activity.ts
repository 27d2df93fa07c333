import { fileSystemFailure } from '../names.ts';

/**
 * The operations of a session that are under way: its end waits for them, and lets no further one
 * begin.
 */
export class Activity {
  #underWay = 0;
  #ended = false;
  #quiet: (() => void) | undefined;

  /** Runs an operation; `Unavailable` after the end. */
  async run<Result>(operation: () => Promise<Result>): Promise<Result> {
    if (this.#ended) throw fileSystemFailure('Unavailable', 'the session is closed');
    this.#underWay++;
    try {
      return await operation();
    } finally {
      this.#underWay--;
      if (this.#underWay === 0) this.#quiet?.();
    }
  }

  /** Settles when nothing is under way any more. To be called once. */
  end(): Promise<void> {
    this.#ended = true;
    return new Promise((resolve) => {
      this.#quiet = resolve;
      if (this.#underWay === 0) resolve();
    });
  }
}
