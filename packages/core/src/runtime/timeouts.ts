/**
 * Timeouts: any number of them over one Timer session, which knows only one. The session is opened
 * at first use.
 */
import type { SignalCapability } from '../capability/signal.ts';
import type { Session } from '../interface/interface.ts';
import type { Timer } from '../session/timer.ts';

type TimerSession = Session<typeof Timer>;

/** Cancels a timeout. Does nothing once it has fired. */
export type CancelTimeout = () => void;

interface Timeout {
  deadlineUs: number;
  readonly periodUs: number;
  readonly fire: () => void;
  cancelled: boolean;
}

/** The latest deadline. No clock gets there, and sums of times are exact up to it. */
const LATEST_US = Number.MAX_SAFE_INTEGER;

/** A duration as a whole number of microseconds; 0 for one that is negative or no number. */
function wholeUs(us: number): number {
  return Number.isNaN(us) ? 0 : Math.max(0, Math.ceil(us));
}

/** The timer of a component. */
export class Timeouts {
  readonly #connect: () => Promise<TimerSession>;
  readonly #signal: (handler: () => Promise<void>) => SignalCapability;
  readonly #report: (error: unknown) => void;
  /** All timeouts, the earliest deadline first. */
  readonly #queue: Timeout[] = [];
  #session: Promise<TimerSession> | undefined;
  #armedUs = Number.POSITIVE_INFINITY;

  constructor(
    connect: () => Promise<TimerSession>,
    signal: (handler: () => Promise<void>) => SignalCapability,
    report: (error: unknown) => void,
  ) {
    this.#connect = connect;
    this.#signal = signal;
    this.#report = report;
  }

  /** Whether the Timer session is open, or being opened. */
  get used(): boolean {
    return this.#session !== undefined;
  }

  /** Microseconds since the timer was first used. */
  async elapsedUs(): Promise<number> {
    return (await this.#timer()).elapsedUs();
  }

  /** The wall clock: milliseconds since the start of 1970, UTC. */
  async currentTimeMs(): Promise<number> {
    return (await this.#timer()).currentTimeMs();
  }

  /** Resolves after `ms` milliseconds. Rejects if no Timer session can be had. */
  async sleep(ms: number): Promise<void> {
    await this.#timer();
    return new Promise((resolve) => this.#add(ms * 1000, 0, resolve));
  }

  /** Calls `handler` once after `ms` milliseconds. */
  after(ms: number, handler: () => void): CancelTimeout {
    return this.#add(ms * 1000, 0, handler);
  }

  /** Calls `handler` every `ms` milliseconds. */
  every(ms: number, handler: () => void): CancelTimeout {
    return this.#add(ms * 1000, Math.max(1, ms * 1000), handler);
  }

  #add(delayUs: number, periodUs: number, fire: () => void): CancelTimeout {
    const timeout: Timeout = { deadlineUs: 0, periodUs, fire, cancelled: false };
    this.#schedule(timeout, delayUs).catch(this.#report);
    return () => {
      timeout.cancelled = true;
      const at = this.#queue.indexOf(timeout);
      if (at !== -1) this.#queue.splice(at, 1);
    };
  }

  async #schedule(timeout: Timeout, delayUs: number): Promise<void> {
    const session = await this.#timer();
    const nowUs = await session.elapsedUs();
    timeout.deadlineUs = Math.min(nowUs + wholeUs(delayUs), LATEST_US);
    this.#insert(timeout);
    await this.#arm(session, nowUs);
  }

  #insert(timeout: Timeout): void {
    const later = this.#queue.findIndex((other) => other.deadlineUs > timeout.deadlineUs);
    this.#queue.splice(later === -1 ? this.#queue.length : later, 0, timeout);
  }

  async #arm(session: TimerSession, nowUs: number): Promise<void> {
    const first = this.#queue[0];
    if (!first || first.deadlineUs >= this.#armedUs) return;
    this.#armedUs = first.deadlineUs;
    await session.triggerOnce(Math.max(1, first.deadlineUs - nowUs));
  }

  async #expire(): Promise<void> {
    const session = await this.#timer();
    const nowUs = await session.elapsedUs();
    this.#armedUs = Number.POSITIVE_INFINITY;
    for (;;) {
      const first = this.#queue[0];
      if (!first || first.deadlineUs > nowUs) break;
      this.#queue.shift();
      if (first.cancelled) continue;
      if (first.periodUs > 0) {
        first.deadlineUs = Math.min(Math.max(first.deadlineUs + first.periodUs, nowUs + 1), LATEST_US);
        this.#insert(first);
      }
      this.#fire(first);
    }
    await this.#arm(session, nowUs);
  }

  #fire(timeout: Timeout): void {
    try {
      timeout.fire();
    } catch (error) {
      this.#report(error);
    }
  }

  #timer(): Promise<TimerSession> {
    this.#session ??= this.#open();
    return this.#session;
  }

  async #open(): Promise<TimerSession> {
    const session = await this.#connect();
    await session.setHandler(this.#signal(() => this.#expire()));
    return session;
  }
}
