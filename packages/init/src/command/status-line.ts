/**
 * A line of standard error that is rewritten again and again on a terminal; elsewhere nothing is
 * written.
 */

/** The shortest time between two rewrites. */
const PERIOD_MS = 200;
const CLEAR_LINE = '\r\u001b[2K';

/** A status line for work that takes long. */
export class StatusLine {
  readonly #terminal = process.stderr.isTTY;
  readonly #command: string;
  #shownMs = 0;

  /** `command` says whose line it is. */
  constructor(command: string) {
    this.#command = command;
  }

  /** Shows a text, unless the last one is too young. */
  show(text: () => string): void {
    const nowMs = performance.now();
    if (!this.#terminal || nowMs - this.#shownMs < PERIOD_MS) return;
    this.#shownMs = nowMs;
    process.stderr.write(`${CLEAR_LINE}ginit: ${this.#command}: ${text()}`);
  }

  /** Makes room for lines that stay. */
  clear(): void {
    if (this.#terminal) process.stderr.write(CLEAR_LINE);
    this.#shownMs = 0;
  }
}
