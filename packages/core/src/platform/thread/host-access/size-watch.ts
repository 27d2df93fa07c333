/**
 * Watches the size of an open file by looking at it again and again: that works for devices as well
 * as for files, and in a jail.
 */
import { Listeners } from '../../../async/index.ts';

const LOOK_EVERY_MS = 1000;

/** The watch of one file. It looks only while somebody wants to know. */
export class SizeWatch {
  readonly #size: () => Promise<number>;
  readonly #listeners = new Listeners();
  #timer: NodeJS.Timeout | undefined;
  #known: number;
  #looking = false;

  /**
   * `size` tells the size now; if it rejects, that is as if nothing had changed. `known` is the
   * size that everybody knows.
   */
  constructor(size: () => Promise<number>, known: number) {
    this.#size = size;
    this.#known = known;
  }

  /** Has `handler` called after a change; the result ends that. */
  add(handler: () => void): () => void {
    const forget = this.#listeners.add(handler);
    if (this.#timer === undefined) {
      this.#timer = setInterval(() => void this.#look(), LOOK_EVERY_MS);
      this.#timer.unref();
      void this.#look();
    }
    return () => {
      forget();
      if (this.#listeners.empty) this.close();
    };
  }

  /** Ends the watch. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    // The file may be closed meanwhile, or cannot be looked at now.
    const size = await this.#size().catch(() => this.#known);
    this.#looking = false;
    if (size === this.#known || this.#timer === undefined) return;
    this.#known = size;
    this.#listeners.call();
  }
}
