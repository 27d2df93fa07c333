/** The end of something that many wait for, each as long as it likes: unlike a promise, it forgets who waits no more. */

/** Happens once. */
export class Ending {
  #reason: Error | undefined;
  readonly #handlers = new Set<() => void>();

  /** Why it has ended, if it has. */
  get reason(): Error | undefined {
    return this.#reason;
  }

  end(reason: Error): void {
    if (this.#reason) return;
    this.#reason = reason;
    for (const handler of this.#handlers) handler();
    this.#handlers.clear();
  }

  /** Calls `handler` at the end, which may be at once; the result cancels that. */
  on(handler: () => void): () => void {
    if (this.#reason) {
      handler();
      return () => {};
    }
    this.#handlers.add(handler);
    return () => void this.#handlers.delete(handler);
  }

  /** What `step` settles with, or the reason of the end if that comes first; a value that comes later goes to `late`. */
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
