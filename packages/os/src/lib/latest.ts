/**
 * Does something again whenever that was asked for since it last began, one round at a time: for
 * what looks at the newest state and makes something of it.
 */
export class Latest {
  readonly #round: () => Promise<void>;
  #asked = false;
  #running: Promise<void> | undefined;

  /** `round` is what is done. If it rejects, so do those who wait for it. */
  constructor(round: () => Promise<void>) {
    this.#round = round;
  }

  /** Settles when a round that has begun after this call is done. */
  again(): Promise<void> {
    this.#asked = true;
    this.#running ??= this.#run();
    return this.#running;
  }

  async #run(): Promise<void> {
    // The caller has to have the promise first.
    await Promise.resolve();
    try {
      while (this.#asked) {
        this.#asked = false;
        await this.#round();
      }
    } finally {
      this.#running = undefined;
    }
  }
}
