/**
 * Holds requests back until there are enough of them, or the first has waited long enough, and then
 * lets them go in another order.
 */
import type { Random } from '../lib/random.ts';

/** How requests are put into another order. */
export interface ReorderOptions {
  readonly window: number;
  readonly holdMs: number;
  readonly order: 'random' | 'reverse';
}

/** A gate in front of a device. */
export class Reordering {
  readonly #options: ReorderOptions;
  readonly #random: Random;
  readonly #sleep: (ms: number) => Promise<void>;
  #held: (() => void)[] = [];

  constructor(options: ReorderOptions, random: Random, sleep: (ms: number) => Promise<void>) {
    this.#options = options;
    this.#random = random;
    this.#sleep = sleep;
  }

  /** Settles when the request may go on. */
  pass(): Promise<void> {
    return new Promise((resolve) => {
      this.#held.push(resolve);
      // Later in this turn: the last one has to wait before it can go first.
      if (this.#held.length >= this.#options.window) void Promise.resolve().then(() => this.release());
      else if (this.#held.length === 1) void this.#releaseLater(this.#held);
    });
  }

  /** Lets all go that are held. */
  release(): void {
    const held = this.#held;
    this.#held = [];
    const ordered = this.#options.order === 'reverse' ? held.toReversed() : this.#random.shuffle(held);
    for (const go of ordered) go();
  }

  async #releaseLater(batch: readonly (() => void)[]): Promise<void> {
    await this.#sleep(this.#options.holdMs).catch(() => {});
    if (this.#held === batch) this.release();
  }
}
