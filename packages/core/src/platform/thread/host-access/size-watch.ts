/**
 * Watches the size of an open file by looking at it again and again: that works for devices as well
 * as for files, and in a jail.
 */
const LOOK_EVERY_MS = 1000;

/** The watch of one file. It looks only while somebody wants to know. */
export class SizeWatch {
  readonly #size: () => Promise<number>;
  readonly #handlers = new Set<{ readonly call: () => void }>();
  #timer: NodeJS.Timeout | undefined;
  #known: number | undefined;
  #looking = false;

  /** `size` tells the size now; if it rejects, that is as if nothing had changed. */
  constructor(size: () => Promise<number>) {
    this.#size = size;
  }

  /** Has `handler` called after a change; the result ends that. */
  add(handler: () => void): () => void {
    const entry = { call: handler };
    this.#handlers.add(entry);
    if (this.#timer === undefined) {
      this.#timer = setInterval(() => void this.#look(), LOOK_EVERY_MS);
      this.#timer.unref();
      void this.#look();
    }
    return () => {
      this.#handlers.delete(entry);
      if (this.#handlers.size === 0) this.close();
    };
  }

  /** Ends the watch. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#handlers.clear();
  }

  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      const size = await this.#size();
      const changed = this.#known !== undefined && size !== this.#known;
      this.#known = size;
      if (changed) for (const { call } of this.#handlers) call();
    } catch {
      // The file is being closed, or cannot be looked at now.
    } finally {
      this.#looking = false;
    }
  }
}
