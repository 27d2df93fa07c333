/**
 * Numbers for requests, so that one can tell when all that had begun before a moment have ended.
 */
export class RequestsUnderWay {
  readonly #active = new Set<number>();
  #next = 0;

  /** A mark of this moment. */
  get mark(): number {
    return this.#next;
  }

  /** Whether every request that had begun at a mark has ended. */
  haveEnded(mark: number): boolean {
    // A set lists its elements in the order in which they came.
    for (const oldest of this.#active) return oldest >= mark;
    return true;
  }

  /** Runs a request. */
  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    const number = this.#next++;
    this.#active.add(number);
    try {
      return await work();
    } finally {
      this.#active.delete(number);
    }
  }
}
