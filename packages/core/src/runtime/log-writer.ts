/**
 * The component's end of its LOG session: lines go out in order, one call each, and what waits is bounded. A
 * component that logs faster than anybody can read loses lines, and is told how many, in the log.
 */
import { LIMITS } from '../limits.ts';

/** Writes one line; settles when there is room for more. */
export type LineSink = (line: string) => Promise<void>;

/** Calls under way at once. */
const WRITES_IN_FLIGHT = 32;

/** A bounded queue of lines in front of a LOG session. */
export class LogWriter {
  readonly #lines: string[] = [];
  readonly #idle: (() => void)[] = [];
  #sink: LineSink | undefined;
  #backlogBytes = 0;
  #writing = 0;
  #lost = 0;

  /** The LOG session is there: what was written so far goes out. */
  attach(sink: LineSink): void {
    this.#sink = sink;
    this.#pump();
  }

  /** Queues `text`, a line for each of its lines. Settles when the queue is short again. */
  async write(text: string, prefix = ''): Promise<void> {
    for (const line of text.split('\n')) this.#push(prefix + line);
    this.#pump();
    if (this.#backlogBytes > LIMITS.logBacklogBytes / 4) await this.flush();
  }

  /** Settles when everything queued so far has been taken by the log, or the log is gone. */
  async flush(): Promise<void> {
    while (this.#sink && (this.#lines.length > 0 || this.#writing > 0)) {
      await new Promise<void>((resolve) => this.#idle.push(resolve));
    }
  }

  #push(line: string): void {
    if (this.#backlogBytes + line.length > LIMITS.logBacklogBytes) {
      this.#lost++;
      return;
    }
    if (this.#lost > 0) {
      this.#lines.push(`Warning: ${this.#lost} log lines lost`);
      this.#lost = 0;
    }
    this.#lines.push(line.length > LIMITS.logLineBytes ? `${line.slice(0, LIMITS.logLineBytes - 1)}…` : line);
    this.#backlogBytes += line.length;
  }

  #pump(): void {
    while (this.#sink && this.#writing < WRITES_IN_FLIGHT) {
      const line = this.#lines.shift();
      if (line === undefined) break;
      this.#writing++;
      void this.#send(this.#sink, line);
    }
    if (this.#writing === 0 && this.#lines.length === 0) for (const wake of this.#idle.splice(0)) wake();
  }

  async #send(sink: LineSink, line: string): Promise<void> {
    // A log that is gone swallows what comes: there is nobody left to tell.
    await sink(line).catch(() => {});
    this.#writing--;
    this.#backlogBytes = Math.max(0, this.#backlogBytes - line.length);
    this.#pump();
  }
}
