/** A Timer session of the supervisor. */
import type { SignalCapability } from '../capability/signal.ts';
import type { Platform } from './platform.ts';

/** The parts of the platform that a timer needs. */
type Clock = Pick<Platform, 'monotonicUs' | 'wallClockMs' | 'after'>;
/** The signal that a timer submits. */
type Handler = Pick<SignalCapability, 'submit'> & Disposable;

/** The operations of the `Timer` interface over the platform's clock. */
export class TimerSession {
  readonly #platform: Clock;
  readonly #startUs: number;
  #handler: Handler | undefined;
  #cancel: () => void = () => {};

  constructor(platform: Clock) {
    this.#platform = platform;
    this.#startUs = platform.monotonicUs();
  }

  triggerOnce(us: number): void {
    this.#cancel();
    this.#cancel = this.#platform.after(us, () => this.#handler?.submit());
  }

  triggerPeriodic(us: number): void {
    this.#cancel();
    if (us === 0) return;
    const tick = (): void => {
      this.#handler?.submit();
      this.#cancel = this.#platform.after(us, tick);
    };
    this.#cancel = this.#platform.after(us, tick);
  }

  setHandler(handler: Handler): void {
    this.#handler?.[Symbol.dispose]();
    this.#handler = handler;
  }

  elapsedUs(): number {
    return this.#platform.monotonicUs() - this.#startUs;
  }

  currentTimeMs(): number {
    return this.#platform.wallClockMs();
  }

  [Symbol.dispose](): void {
    this.#cancel();
    this.#handler?.[Symbol.dispose]();
  }
}
