/** Syncs never overlap: calls that come while one runs share the next one. */
export class SyncTurns {
  readonly #sync: () => Promise<void>;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(sync: () => Promise<void>) {
    this.#sync = sync;
  }

  /** Settles with a sync that began after the call. */
  request(): Promise<void> {
    if (this.#running === undefined) return this.#start();
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        return this.#start();
      });
    return this.#next;
  }

  /** Settles when none is under way or to come. */
  async settled(): Promise<void> {
    for (let under = this.#underWay; under; under = this.#underWay) await under.catch(() => undefined);
  }

  get #underWay(): Promise<void> | undefined {
    return this.#next ?? this.#running;
  }

  async #start(): Promise<void> {
    const running = this.#sync();
    this.#running = running;
    try {
      await running;
    } finally {
      this.#running = undefined;
    }
  }
}
