/** Somebody who talks to a guest over the socket of its serial line. */
import { createConnection } from 'node:net';
import { expect } from 'vitest';

/** The time that a guest has for anything. */
export const BOOT_MS = 240_000;

/** A person at the serial line of a guest. */
export class SerialPerson {
  seen = '';
  readonly #socket;

  constructor(path: string) {
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
    await this.until(/^the end\r?$|syntax error/m);
    if (this.seen.includes('syntax error')) throw new Error(`the shell does not take "${command}"`);
    return this.seen;
  }

  async until(pattern: RegExp): Promise<void> {
    await expect.poll(() => this.seen, { timeout: BOOT_MS, interval: 50 }).toMatch(pattern);
  }

  type(text: string): void {
    this.#socket.write(text);
  }
}
