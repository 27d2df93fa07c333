/**
 * Joins requests to synchronise. One run is under way at a time, and all requests that come
 * meanwhile share the next one. They must not share the run that is under way, because it may have
 * begun before their writes had ended.
 */
export class SyncGroup {
  readonly #run: () => Promise<void>;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  /** `run` covers every write that had ended when it is called. */
  constructor(run: () => Promise<void>) {
    this.#run = run;
  }

  /** Settles when a run has ended that began after the call. */
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
    const running = this.#run().finally(() => {
      if (this.#running === running && this.#next === undefined) this.#running = undefined;
    });
    this.#running = running;
    return running;
  }
}
