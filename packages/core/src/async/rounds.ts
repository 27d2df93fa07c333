import { deferred } from './deferred.ts';

/**
 * Does something again for whoever asks, one round at a time: a SYNC, a look at the newest state.
 * All who ask while a round is under way share the next one. They must not share the one that is
 * under way, because it may have begun before what they want it to cover.
 */
export class Rounds {
  readonly #round: () => Promise<void>;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  /** `round` is what is done: it covers all that has happened when it is called. */
  constructor(round: () => Promise<void>) {
    this.#round = round;
  }

  /** Settles as a round that began after the call, whatever has become of those before. */
  request(): Promise<void> {
    if (this.#running === undefined) return this.#start();
    this.#next ??= this.#running.then(
      () => this.#start(),
      () => this.#start(),
    );
    return this.#next;
  }

  #start(): Promise<void> {
    this.#next = undefined;
    const { promise, resolve, reject } = deferred<void>();
    // The first step of the round may ask for another one, which must not begin within it.
    this.#running = promise;
    this.#perform().then(resolve, reject);
    return promise;
  }

  async #perform(): Promise<void> {
    try {
      await this.#round();
    } finally {
      if (this.#next === undefined) this.#running = undefined;
    }
  }
}
