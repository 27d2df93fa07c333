/** A bar on a terminal; elsewhere a line for each step. */
import type { Output } from '../output.ts';

const WIDTH = 30;
const PERIOD_MS = 100;
const CLEAR_LINE = '\r\u001b[2K';
const FULL = 100;

/** Shows how far a command is. */
export class ProgressBar {
  readonly #output: Output;
  readonly #terminal = process.stderr.isTTY;
  #step = '';
  #shownMs = 0;

  constructor(output: Output) {
    this.#output = output;
  }

  show(step: string, percent: number): void {
    const isNew = step !== this.#step;
    this.#step = step;
    if (!this.#terminal) {
      if (isNew) this.#output.say(step);
      return;
    }
    const nowMs = performance.now();
    if (!isNew && nowMs - this.#shownMs < PERIOD_MS) return;
    this.#shownMs = nowMs;
    const full = Math.round((WIDTH * Math.min(FULL, Math.max(0, percent))) / FULL);
    const bar = `${'#'.repeat(full)}${'.'.repeat(WIDTH - full)}`;
    process.stderr.write(`${CLEAR_LINE}ginit: [${bar}] ${step}`);
  }

  clear(): void {
    if (this.#terminal && this.#step !== '') process.stderr.write(CLEAR_LINE);
  }
}
