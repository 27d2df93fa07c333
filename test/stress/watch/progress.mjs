/** Tells how a run goes on: in place on a terminal, otherwise a line now and then. */
import { total } from './processes.mjs';

const PLAIN_EVERY_MS = 10_000;

/** The progress line of a run. */
export class Progress {
  #terminal = process.stderr.isTTY === true;
  #seconds;
  #endMs;
  #shownMs = Number.NEGATIVE_INFINITY;
  #last = { calls: 0, ms: performance.now() };

  constructor(seconds) {
    this.#seconds = seconds;
  }

  /** The time runs from now on. */
  begin() {
    this.#endMs = performance.now() + this.#seconds * 1000;
  }

  /** Shows where the run is, if it is time to. */
  show(totals, processes, failures) {
    const nowMs = performance.now();
    if (!this.#terminal && nowMs - this.#shownMs < PLAIN_EVERY_MS) return;
    this.#shownMs = nowMs;
    const { settled: calls = 0, kills = 0, packets = 0, alive } = totals;
    const rate = ((calls - this.#last.calls) * 1000) / Math.max(1, nowMs - this.#last.ms);
    this.#last = { calls, ms: nowMs };
    const text = [
      `stress: ${this.#when(nowMs)}`,
      `${calls} calls (${rate.toFixed(0)} a second)`,
      `${packets} packets`,
      `${kills} ended`,
      `${alive} components in ${processes.length} processes`,
      `${total(processes, 'threads')} threads`,
      `${total(processes, 'rssMiB').toFixed(0)} MiB`,
      `${failures} failures`,
    ].join(', ');
    process.stderr.write(this.#terminal ? `\r\x1b[K${text}` : `${text}\n`);
  }

  #when(nowMs) {
    if (this.#endMs === undefined) return 'starting';
    const leftS = Math.ceil((this.#endMs - nowMs) / 1000);
    return leftS > 0 ? `${leftS} s left` : 'coming to rest';
  }

  end() {
    if (this.#terminal) process.stderr.write('\r\x1b[K');
  }
}
