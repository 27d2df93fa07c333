import { type Env } from '@ginit/core';
import { formatBytes } from '@ginit/core/config';

/** The number of bytes below which the clock is not read. */
const QUIET_BYTES = 64 * 1024 * 1024;
const CHECK_BYTES = 8 * 1024 * 1024;
const INTERVAL_US = 5_000_000;

/**
 * Tells the time, in microseconds since any moment; undefined where there is no Timer session to be
 * had.
 */
export type Clock = () => Promise<number | undefined>;

/** A clock over the component's timer: the session is opened when the time is first asked for. */
export function clockOf(env: Pick<Env, 'timer'>): Clock {
  let broken = false;
  return async () => {
    if (broken) return undefined;
    try {
      return await env.timer.elapsedUs();
    } catch {
      broken = true;
      return undefined;
    }
  };
}

/** Reports the progress of a long operation: a line at most every five seconds. */
export class Progress {
  readonly #title: string;
  readonly #sizeBytes: number;
  readonly #log: (line: string) => Promise<void>;
  readonly #clock: Clock;
  #checkAt = CHECK_BYTES;
  #lastUs: number | undefined;

  constructor(title: string, sizeBytes: number, log: (line: string) => Promise<void>, clock: Clock) {
    this.#title = title;
    this.#sizeBytes = sizeBytes;
    this.#log = log;
    this.#clock = clock;
  }

  /** Takes the number of bytes that are done so far. */
  async advance(doneBytes: number): Promise<void> {
    if (doneBytes < this.#checkAt || this.#sizeBytes < QUIET_BYTES) return;
    this.#checkAt = doneBytes + CHECK_BYTES;
    const nowUs = await this.#clock();
    if (nowUs === undefined) return;
    this.#lastUs ??= nowUs;
    if (nowUs - this.#lastUs < INTERVAL_US) return;
    this.#lastUs = nowUs;
    const percent = Math.floor((100 * doneBytes) / this.#sizeBytes);
    await this.#log(`${this.#title}: ${percent}% of ${formatBytes(this.#sizeBytes)}`);
  }
}
