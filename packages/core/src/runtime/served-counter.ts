/** Counts the requests that a component has served: those of its live sessions, and of those that have ended. */
export class ServedCounter {
  readonly #live = new Set<() => number>();
  #ended = 0;

  /** Adds a source of counts; the returned function keeps its last value and lets go of it. */
  watch(count: () => number): () => void {
    this.#live.add(count);
    return () => {
      if (this.#live.delete(count)) this.#ended += count();
    };
  }

  get total(): number {
    let total = this.#ended;
    for (const count of this.#live) total += count();
    return total;
  }
}
