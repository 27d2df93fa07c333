/** What ginit writes: components' lines to standard output, its own words to standard error. */
import type { Writable } from 'node:stream';
import type { OutputSink } from '@ginit/core/supervisor';

/** Standard output and error of the command. */
export class Output implements OutputSink {
  readonly #out: Writable;
  readonly #err: Writable;
  /** Settles when there is room for more lines; all who wait share it. */
  #room: Promise<void> | undefined;

  /** `broken` is called when nobody reads the output any more. */
  constructor(out: Writable, err: Writable, broken: () => void) {
    this.#out = out;
    this.#err = err;
    out.on('error', broken);
    err.on('error', () => {});
  }

  async line(text: string): Promise<void> {
    if (this.#out.destroyed || this.#out.write(`${text}\n`)) return;
    this.#room ??= this.#untilRoom();
    await this.#room;
  }

  #untilRoom(): Promise<void> {
    return new Promise((resolve) => {
      const settle = (): void => {
        this.#out.off('drain', settle);
        this.#out.off('close', settle);
        this.#room = undefined;
        resolve();
      };
      this.#out.on('drain', settle);
      this.#out.on('close', settle);
    });
  }

  complaint(text: string): void {
    this.say(text);
  }

  /** A line of ginit's own, marked so. */
  say(text: string): void {
    for (const line of text.split('\n')) this.plain(`ginit: ${line}`);
  }

  /** A line as it is: errors of a config begin with their place. */
  plain(text: string): void {
    if (!this.#err.destroyed) this.#err.write(`${text}\n`);
  }
}
