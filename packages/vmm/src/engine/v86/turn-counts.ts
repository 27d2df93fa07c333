/**
 * What the processor of v86 has done. v86 runs it in turns of about a millisecond, and waits
 * between them if its guest has nothing to do. It counts instructions in 32 bits, which some
 * minutes fill, so they are added up turn by turn.
 */

/** The clock of the emulator, in milliseconds, and its counter of instructions. */
export interface TurnClock {
  nowMs(): number;
  instructions(): number;
}

const US_IN_MS = 1000;

/** Counts the turns of one processor. */
export class TurnCounts {
  readonly #clock: TurnClock;
  #busyMs = 0;
  #instructions = 0;
  #exits = 0;
  #idles = 0;
  #beganMs: number | undefined;
  #before: number;

  constructor(clock: TurnClock) {
    this.#clock = clock;
    this.#before = clock.instructions();
  }

  get busyUs(): number {
    return Math.round(this.#busyMs * US_IN_MS);
  }

  get instructions(): number {
    return this.#instructions;
  }

  get exits(): number {
    return this.#exits;
  }

  get idles(): number {
    return this.#idles;
  }

  /** A turn begins. */
  begin(): void {
    this.#beganMs = this.#clock.nowMs();
  }

  /** A turn is over, if there was one; the guest wants to wait before the next. */
  end(waits: boolean): void {
    this.take();
    if (this.#beganMs === undefined) return;
    this.#busyMs += Math.max(0, this.#clock.nowMs() - this.#beganMs);
    this.#beganMs = undefined;
    this.#exits++;
    if (waits) this.#idles++;
  }

  /** Adds the instructions that were run since somebody has looked. */
  take(): void {
    const now = this.#clock.instructions();
    this.#instructions += (now - this.#before) >>> 0;
    this.#before = now;
  }

  /** The counter of instructions was set to another value. */
  wasSet(): void {
    this.#before = this.#clock.instructions();
  }
}
