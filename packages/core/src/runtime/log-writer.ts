/**
 * The component's end of its LOG session. Lines go out in order, and the lines that wait are
 * bounded: a component that logs faster than anybody can read, and does not wait, loses lines, and
 * the log says how many.
 */
import { LIMITS } from '../limits.ts';
import { linesOf, messageLines } from '../log-text.ts';

/** Writes one or several lines; settles when there is room for more. */
export type LineSink = (line: string) => Promise<void>;

/** How many calls are under way at once, and how much text one call takes if much is waiting. */
const WRITES_IN_FLIGHT = 32;
const WRITE_CHARACTERS = 8192;
/** When more text than this waits, whoever writes has to wait too. */
const BUSY_CHARACTERS = 256 * 1024;
/**
 * Lines that have gone out are dropped from the front of the queue when there are this many, and at
 * least as many as wait.
 */
const GONE_MAX = 4096;

/** Every line has an end, so an empty line counts as well. */
const sizeOf = (line: string): number => line.length + 1;

/** A bounded queue of lines in front of a LOG session. */
export class LogWriter {
  #lines: string[] = [];
  /** Index of the first line that has not gone out. */
  #next = 0;
  readonly #idle: (() => void)[] = [];
  #sink: LineSink | undefined;
  #backlog = 0;
  #writing = 0;
  #lost = 0;

  /** The LOG session is open: the lines that were written before go out. */
  attach(sink: LineSink): void {
    this.#sink = sink;
    this.#pump();
  }

  /** Queues a text, cut into lines. Settles when the queue is short again. */
  write(text: string): Promise<void> {
    return this.#write(linesOf(text));
  }

  /** Queues one message, whose lines belong together and get `prefix`. */
  message(text: string, prefix: string): Promise<void> {
    return this.#write(messageLines(text, prefix));
  }

  /** Settles when everything queued so far has been taken by the log, or the log is gone. */
  async flush(): Promise<void> {
    while (this.#sink && (this.#next < this.#lines.length || this.#lost > 0 || this.#writing > 0)) {
      await new Promise<void>((resolve) => this.#idle.push(resolve));
    }
  }

  /** From now on nothing goes out. */
  detach(): void {
    this.#sink = undefined;
  }

  /**
   * Takes the lines that have not gone out. The component ends, and somebody else must print them.
   */
  takeRest(): string[] {
    this.#sayLost();
    const rest = this.#lines.slice(this.#next);
    this.#lines = [];
    this.#next = 0;
    this.#backlog = 0;
    return rest;
  }

  async #write(lines: readonly string[]): Promise<void> {
    for (const line of lines) this.#push(line);
    this.#pump();
    if (this.#backlog > BUSY_CHARACTERS) await this.flush();
  }

  #push(line: string): void {
    if (this.#backlog + sizeOf(line) > LIMITS.logBacklogCharacters) {
      this.#lost++;
      return;
    }
    this.#sayLost();
    this.#queue(
      line.length > LIMITS.logLineCharacters ? `${line.slice(0, LIMITS.logLineCharacters - 1)}…` : line,
    );
  }

  #sayLost(): void {
    if (this.#lost === 0) return;
    this.#queue(`Warning: ${this.#lost} log lines lost: they came faster than the log took them`);
    this.#lost = 0;
  }

  #queue(line: string): void {
    this.#lines.push(line);
    this.#backlog += sizeOf(line);
  }

  #pump(): void {
    while (this.#sink && this.#writing < WRITES_IN_FLIGHT) {
      const lines = this.#takeLines();
      if (lines.length === 0) break;
      this.#writing++;
      void this.#send(this.#sink, lines);
    }
    if (this.#writing === 0 && this.#next === this.#lines.length)
      for (const wake of this.#idle.splice(0)) wake();
  }

  /** The next lines to send: several at once, if many wait. */
  #takeLines(): string[] {
    if (this.#next === this.#lines.length) this.#sayLost();
    const taken: string[] = [];
    let room = WRITE_CHARACTERS;
    for (; this.#next < this.#lines.length; this.#next++) {
      const line = this.#lines[this.#next] ?? '';
      room -= sizeOf(line);
      if (room < 0 && taken.length > 0) break;
      taken.push(line);
    }
    if (this.#next > GONE_MAX && this.#next > this.#lines.length / 2) {
      this.#lines = this.#lines.slice(this.#next);
      this.#next = 0;
    }
    return taken;
  }

  async #send(sink: LineSink, lines: readonly string[]): Promise<void> {
    // If the log is gone, its lines are lost: there is nobody left to tell.
    await sink(lines.join('\n')).catch(() => {});
    this.#writing--;
    for (const line of lines) this.#backlog -= sizeOf(line);
    this.#pump();
  }
}
