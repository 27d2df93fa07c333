/** What the clock takes of `env`. */
export interface ClockSource {
  currentTimeMs(): Promise<number>;
  after(ms: number, handler: () => void): void;
}

/** How old the time may be that a file system stamps its nodes with. */
const RESOLUTION_MS = 10;

/**
 * The time of day for a file system, which asks for it with every change. The clock is a session: it is asked once in a
 * while of activity, and not at all while there is none.
 */
export class CoarseClock {
  readonly #source: ClockSource;
  #now: Promise<number> | undefined;

  constructor(source: ClockSource) {
    this.#source = source;
  }

  /** Milliseconds since 1970, at most a few of them old. */
  now(): Promise<number> {
    this.#now ??= this.#ask();
    return this.#now;
  }

  async #ask(): Promise<number> {
    try {
      const now = await this.#source.currentTimeMs();
      this.#source.after(RESOLUTION_MS, () => {
        this.#now = undefined;
      });
      return now;
    } catch (error) {
      this.#now = undefined;
      throw error;
    }
  }
}
