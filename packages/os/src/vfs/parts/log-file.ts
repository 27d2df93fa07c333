/** A file whose lines go to LOG. */
import type { SingleFile } from './single-entry.ts';

/** A line that is longer is cut. */
const LINE_BYTES_MAX = 1024;
const NEWLINE = 10;

/** Takes text, and gives `line` each line of it. Half a line waits for the rest. */
export class LogFile implements SingleFile {
  readonly writeable = true;
  readonly unsized = true;
  readonly sizeBytes = 0;
  readonly #line: (text: string) => Promise<unknown>;
  readonly #close: () => Promise<void>;
  #begun: number[] = [];

  constructor(line: (text: string) => Promise<unknown>, close: () => Promise<void>) {
    this.#line = line;
    this.#close = close;
  }

  async read(): Promise<number> {
    return 0;
  }

  async write(_: number | undefined, from: Uint8Array): Promise<number> {
    const lines: string[] = [];
    // A copy: the writer shares the memory.
    for (const byte of from.slice()) {
      if (byte !== NEWLINE) this.#begun.push(byte);
      if (byte === NEWLINE || this.#begun.length === LINE_BYTES_MAX) lines.push(this.#taken());
    }
    for (const line of lines) await this.#line(line);
    return from.length;
  }

  async truncate(): Promise<void> {}

  /** Half a line goes out. */
  async sync(): Promise<void> {
    if (this.#begun.length > 0) await this.#line(this.#taken());
  }

  async close(): Promise<void> {
    await this.sync();
    await this.#close();
  }

  #taken(): string {
    const line = new TextDecoder().decode(new Uint8Array(this.#begun));
    this.#begun = [];
    return line;
  }
}
