/**
 * Counts the requests that a component has served, in live sessions and in those that have ended.
 */
export class ServedCounter {
  readonly #live = new Set<() => number>();
  #ended = 0;

  /**
   * Adds a source of counts. The returned function lets go of the source and keeps its last count.
   */
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
