/** Handlers of one kind of news: each is called by `call` until it is taken away. */
export class Listeners {
  #handlers: readonly { readonly call: () => void }[] = [];

  /** Whether there is none. */
  get empty(): boolean {
    return this.#handlers.length === 0;
  }

  /** Adds a handler; the result takes it away again. */
  add(handler: () => void): () => void {
    const entry = { call: handler };
    this.#handlers = [...this.#handlers, entry];
    return () => {
      this.#handlers = this.#handlers.filter((other) => other !== entry);
    };
  }

  /** Calls those that were there before the call and still are. */
  call(): void {
    for (const entry of this.#handlers) if (this.#handlers.includes(entry)) entry.call();
  }
}
