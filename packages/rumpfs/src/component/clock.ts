/** The part of `env` that the clock uses. */
export interface ClockSource {
  currentTimeMs(): Promise<number>;
  after(ms: number, handler: () => void): void;
}

/** The largest age of the time that a file system stamps its nodes with. */
const RESOLUTION_MS = 10;

/**
 * The time of day for a file system, which asks for it with every change. The clock is a session,
 * so it is asked only once in a while during activity, and not at all while there is none.
 */
export class CoarseClock {
  readonly #source: ClockSource;
  #now: Promise<number> | undefined;

  constructor(source: ClockSource) {
    this.#source = source;
  }

  /** Milliseconds since 1970, outdated by a few milliseconds at most. */
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
