/**
 * The clock of a node: it goes on while the machine is suspended, which Node's own monotonic clock
 * does not. Whether the machine has slept is looked up only when the wall clock has jumped, because
 * the time since the start of the machine costs a system call.
 */
import { randomBytes } from 'node:crypto';
import { uptime } from 'node:os';
import type { BusClock } from './bus-clock.ts';

/** The clocks of a machine, in milliseconds. */
export interface MachineClocks {
  /** Stands still while the machine is suspended. */
  monotonicMs(): number;
  wallMs(): number;
  /** Since the start of the machine, suspensions included. */
  sinceBootMs(): number;
}

const OWN_CLOCKS: MachineClocks = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  sinceBootMs: () => uptime() * 1000,
};

/** The wall clock has jumped if it differs by more than this from the monotonic one. */
const JUMP_MS = 50;
/** The time since the start of the machine is not more exact than this. */
const INEXACT_MS = 20;

/** Node's clock, timers and chance. */
export class SystemClock implements BusClock {
  readonly #clocks: MachineClocks;
  readonly #bootMs: number;
  #wallLessMonotonicMs: number;
  #suspendedMs = 0;

  constructor(clocks: MachineClocks = OWN_CLOCKS) {
    this.#clocks = clocks;
    const monotonicMs = clocks.monotonicMs();
    this.#bootMs = clocks.sinceBootMs() - monotonicMs;
    this.#wallLessMonotonicMs = clocks.wallMs() - monotonicMs;
  }

  nowUs(): number {
    const monotonicMs = this.#clocks.monotonicMs();
    const difference = this.#clocks.wallMs() - monotonicMs;
    if (Math.abs(difference - this.#wallLessMonotonicMs) > JUMP_MS) {
      this.#wallLessMonotonicMs = difference;
      const suspendedMs = this.#clocks.sinceBootMs() - monotonicMs - this.#bootMs;
      if (suspendedMs > this.#suspendedMs + INEXACT_MS) this.#suspendedMs = suspendedMs;
    }
    return Math.floor((monotonicMs + this.#suspendedMs) * 1000);
  }

  after(us: number, handler: () => void): () => void {
    const timer = setTimeout(handler, Math.ceil(us / 1000));
    return () => clearTimeout(timer);
  }

  soon(turn: () => void): void {
    queueMicrotask(turn);
  }

  chance(bytes: number): Uint8Array {
    return new Uint8Array(randomBytes(bytes));
  }
}
