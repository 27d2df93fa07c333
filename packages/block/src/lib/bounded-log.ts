/** The most lines of one thing that goes wrong again and again. */
const LINES_MAX = 16;

/** Logs the first lines of many: what is broken, or a client, must not fill the log. */
export class BoundedLog {
  readonly #log: (text: string) => void;
  #lines = 0;

  constructor(log: (text: string) => void) {
    this.#log = log;
  }

  /** Logs a line, unless there were too many. The last one says so. */
  tell(text: string): void {
    if (this.#lines >= LINES_MAX) return;
    this.#lines++;
    this.#log(this.#lines === LINES_MAX ? `${text} (further ones are not logged)` : text);
  }
}
