/**
 * Clocks for components that run in one thread: the real one, and one that stands still until
 * somebody moves it.
 */
import type { Platform } from '../supervisor/platform.ts';
import { afterMs } from './real-time.ts';

/** The clocks of a platform. */
export type Clock = Pick<Platform, 'monotonicUs' | 'wallClockMs' | 'after'>;

/** Time as it passes. */
export const REAL_CLOCK: Clock = {
  monotonicUs: () => Math.floor(performance.now() * 1000),
  wallClockMs: () => Date.now(),
  after: (us, handler) => afterMs(us / 1000, handler),
};

interface Due {
  readonly us: number;
  readonly handler: () => void;
}

/** Time that passes only when `passTo` is called. */
export class ControlledClock implements Clock {
  readonly #startMs: number;
  readonly #due = new Set<Due>();
  #nowUs = 0;

  /** `startMs`: what the wall clock shows at first, in milliseconds since the start of 1970. */
  constructor(startMs: number) {
    this.#startMs = startMs;
  }

  monotonicUs(): number {
    return this.#nowUs;
  }

  wallClockMs(): number {
    return this.#startMs + Math.floor(this.#nowUs / 1000);
  }

  after(us: number, handler: () => void): () => void {
    const due = { us: this.#nowUs + us, handler };
    this.#due.add(due);
    return () => void this.#due.delete(due);
  }

  /** When the next timeout is due; `undefined` if nobody waits for any. */
  get nextUs(): number | undefined {
    return this.#next()?.us;
  }

  /** Moves on to `us`, or to the next timeout if that comes before it; calls its handler then. */
  passTo(us: number): void {
    const next = this.#next();
    if (!next || next.us > us) {
      this.#nowUs = us;
      return;
    }
    this.#nowUs = Math.max(this.#nowUs, next.us);
    this.#due.delete(next);
    next.handler();
  }

  /** Of those that are due at the same time the one that was asked for first. */
  #next(): Due | undefined {
    let next: Due | undefined;
    for (const due of this.#due) if (!next || due.us < next.us) next = due;
    return next;
  }
}
