/** A line of standard error that is written anew again and again, where that is a terminal; elsewhere nothing is. */

/** It is written anew after so many milliseconds at the earliest. */
const PERIOD_MS = 200;
const CLEAR_LINE = '\r\u001b[2K';

/** The line under which long work goes on. */
export class StatusLine {
  readonly #terminal = process.stderr.isTTY;
  #shownMs = 0;

  /** Shows a text, unless the last one is too young. */
  show(text: () => string): void {
    const nowMs = performance.now();
    if (!this.#terminal || nowMs - this.#shownMs < PERIOD_MS) return;
    this.#shownMs = nowMs;
    process.stderr.write(`${CLEAR_LINE}ginit: sim: ${text()}`);
  }

  /** Makes room for lines that stay. */
  clear(): void {
    if (this.#terminal) process.stderr.write(CLEAR_LINE);
    this.#shownMs = 0;
  }
}
