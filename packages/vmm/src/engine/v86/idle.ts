/**
 * How long the processor of v86 waits for its next turn. v86 waits by `setTimeout` for a guest that
 * is idle, which in Node cuts off fractions of a millisecond: then v86 asks again and again, and an
 * idle guest takes a quarter of a processor. Here waits are rounded up, and after a while in which
 * nothing has happened they get longer. Whatever wakes the guest (an answer of a disk, a key) ends
 * the wait at once; its own timers come late by that much, and it catches up.
 */

/** Idle turns after something has happened from outside, before waits get longer. */
const QUIET_TURNS = 50;
/**
 * Idle turns in a row that are enough where the guest was busy by itself only, such as with a timer
 * that its kernel has each second. A guest that sleeps and works by turns has fewer in a row.
 */
const SETTLING_TURNS = 8;
/** The longest wait of a quiet guest. */
const QUIET_MS = 40;

/** Decides about the waits of one machine. */
export class IdleWaits {
  #quiet = 0;

  /** The time to wait when v86 asks for `ms`: 0 to go on at once, or whole milliseconds. */
  next(ms: number): number {
    if (!(ms > 0)) {
      this.#quiet = Math.min(this.#quiet, QUIET_TURNS - SETTLING_TURNS);
      return 0;
    }
    this.#quiet++;
    return this.#quiet > QUIET_TURNS ? Math.max(QUIET_MS, Math.ceil(ms)) : Math.ceil(ms);
  }

  /** Something has happened from outside. */
  stir(): void {
    this.#quiet = 0;
  }
}
