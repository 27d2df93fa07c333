/** A Timer session of core. */
import type { SignalCapability } from '../capability/signal.ts';
import type { Platform } from './platform.ts';

/** The operations of the `Timer` interface over the platform's clock. */
export class TimerSession {
  readonly #platform: Platform;
  readonly #startUs: number;
  #handler: SignalCapability | undefined;
  #cancel: () => void = () => {};

  constructor(platform: Platform) {
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

  setHandler(handler: SignalCapability): void {
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
