/**
 * Signals on their way to the peer. For each context one is under way at a time. Signals that are
 * submitted meanwhile become one more, which is sent when the peer has taken the first.
 */
import { LIMITS } from '../limits.ts';

/** The signals of one end of a channel. */
export class SentSignals {
  /** The contexts with a signal under way, and whether another one is to follow. */
  readonly #again = new Map<number, boolean>();
  readonly #send: (index: number) => void;

  constructor(send: (index: number) => void) {
    this.#send = send;
  }

  /** Signals context `index` of the peer. False if too many signals are under way. */
  submit(index: number): boolean {
    if (this.#again.has(index)) {
      this.#again.set(index, true);
      return true;
    }
    if (this.#again.size >= LIMITS.importsPerChannel) return false;
    this.#again.set(index, false);
    this.#send(index);
    return true;
  }

  /** The peer has taken a signal. False if it was sent none. */
  taken(index: number): boolean {
    const again = this.#again.get(index);
    if (again === undefined) return false;
    this.#again.delete(index);
    if (again) this.submit(index);
    return true;
  }

  clear(): void {
    this.#again.clear();
  }
}
