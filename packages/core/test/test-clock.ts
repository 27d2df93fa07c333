/** A clock that goes on when the test says so, with what a platform has of time. */
export class TestClock {
  readonly #timers: { readonly atUs: number; readonly fire: () => void }[] = [];
  #nowUs = 0;

  /** Timeouts that are set. */
  get pending(): number {
    return this.#timers.length;
  }

  monotonicUs(): number {
    return this.#nowUs;
  }

  after(us: number, fire: () => void): () => void {
    const timer = { atUs: this.#nowUs + us, fire };
    this.#timers.push(timer);
    return () => {
      const index = this.#timers.indexOf(timer);
      if (index !== -1) this.#timers.splice(index, 1);
    };
  }

  /**
   * Lets so much time pass; all promises run dry before and after each timeout, and `each` is
   * called before it.
   */
  async passMs(ms: number, each = (): void => {}): Promise<void> {
    const untilUs = this.#nowUs + ms * 1000;
    for (;;) {
      await new Promise(setImmediate);
      const due = this.#timers.filter(({ atUs }) => atUs <= untilUs);
      const [next] = due.toSorted((one, two) => one.atUs - two.atUs);
      if (!next) break;
      this.#timers.splice(this.#timers.indexOf(next), 1);
      this.#nowUs = next.atUs;
      each();
      next.fire();
    }
    this.#nowUs = untilUs;
  }
}
