/**
 * The end of something that many wait for, each for as long as it likes. Unlike a promise, it
 * forgets those who stop waiting.
 */

/** An event that happens once. */
export class Ending {
  #reason: Error | undefined;
  readonly #handlers = new Set<() => void>();

  /** The reason of the end; `undefined` before it. */
  get reason(): Error | undefined {
    return this.#reason;
  }

  end(reason: Error): void {
    if (this.#reason) return;
    this.#reason = reason;
    for (const handler of this.#handlers) handler();
    this.#handlers.clear();
  }

  /** Calls `handler` at the end, which may be at once. The result of this function cancels that. */
  on(handler: () => void): () => void {
    if (this.#reason) {
      handler();
      return () => {};
    }
    this.#handlers.add(handler);
    return () => void this.#handlers.delete(handler);
  }

  /**
   * Settles as `step` does, or rejects with the reason of the end if that comes first. A value of
   * `step` that comes later goes to `late`.
   */
  unless<T>(step: Promise<T>, late: (value: T) => void = () => {}): Promise<T> {
    return new Promise((resolve, reject) => {
      const cancel = this.on(() => reject(this.#reason));
      step.then(
        (value) => {
          cancel();
          if (this.#reason) late(value);
          resolve(value);
        },
        (error: unknown) => {
          cancel();
          reject(error);
        },
      );
    });
  }
}
