/** Somebody at the serial line of a guest, who types commands and reads what they write. */
import { createConnection } from 'node:net';
import { expect } from 'vitest';

/** A person at the serial line of a guest. */
export class SerialPerson {
  seen = '';
  readonly #socket;
  readonly #timeoutMs: number;

  constructor(path: string, timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
    this.#socket = createConnection(path);
    this.#socket.setEncoding('utf8').on('data', (text: string) => (this.seen += text));
  }

  /** Types a command, and waits for its end; the result is what it has written. */
  async run(command: string): Promise<string> {
    // Behind its prompt, the shell asks where the cursor is.
    await this.until(/# \S*$/);
    this.seen = '';
    // What is typed is echoed; the guest puts the two parts of the last word together.
    this.#socket.write(`${command}; echo the" end"\n`);
    await this.until(/^the end\r?$/m);
    return this.seen;
  }

  async until(pattern: RegExp): Promise<void> {
    await expect.poll(() => this.seen, { timeout: this.#timeoutMs, interval: 50 }).toMatch(pattern);
  }

  type(text: string): void {
    this.#socket.write(text);
  }
}
