/** The part of `env.timer` that the clock uses. */
export interface ClockSource {
  currentTimeMs(): Promise<number>;
  after(ms: number, handler: () => void): unknown;
}

/** The largest age of the time. */
const RESOLUTION_MS = 10;

/**
 * The time of day for a file system, which wants it with every change. The clock is a session, so
 * it is asked once in a while during activity, and not at all while there is none.
 */
export class CoarseClock {
  readonly #source: ClockSource;
  #now: Promise<number> | undefined;

  constructor(source: ClockSource) {
    this.#source = source;
  }

  /** Milliseconds since the start of 1970, outdated by a few milliseconds at most. */
  now(): Promise<number> {
    this.#now ??= this.#ask();
    return this.#now;
  }

  async #ask(): Promise<number> {
    const forget = (): void => {
      this.#now = undefined;
    };
    try {
      const now = await this.#source.currentTimeMs();
      this.#source.after(RESOLUTION_MS, forget);
      return now;
    } catch (error) {
      forget();
      throw error;
    }
  }
}
