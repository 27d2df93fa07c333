/** One terminal whose output becomes lines of the log, and at which nobody ever types. */
import type { Implementation, SessionContext } from '@ginit/core';
import { ServedTerminal, type Terminal } from '@ginit/core/terminal';

/** A line of output that gets longer than this is cut. */
export const LINE_CHARACTERS_MAX = 1024;

/** Writes what a client writes as lines, each behind the label of the session. */
export class LoggedTerminal {
  readonly #terminal: ServedTerminal;
  readonly #label: string;
  readonly #log: (line: string) => Promise<void>;
  readonly #decoder = new TextDecoder();
  /** The beginning of a line whose end has not come. */
  #begun = '';
  #writing: Promise<void> | undefined;

  constructor(
    session: Pick<SessionContext<typeof Terminal>, 'args' | 'label'>,
    log: (line: string) => Promise<void>,
  ) {
    this.#label = session.label.text;
    this.#log = log;
    this.#terminal = new ServedTerminal(session, {
      written: () => {
        this.#writing ??= this.#write();
      },
      closed: () => this.#end(),
    });
    this.#terminal.connect();
  }

  /** The object that answers the client. */
  get session(): Implementation<typeof Terminal> {
    return this.#terminal.session;
  }

  /** Goes on until the client has nothing more. The client waits as long as the log takes. */
  async #write(): Promise<void> {
    // Whoever has called has to have the promise first.
    await Promise.resolve();
    while (this.#terminal.pending > 0) {
      const text = this.#begun + this.#decoder.decode(this.#terminal.take(), { stream: true });
      const lines = text.split('\n');
      this.#begun = lines.pop() ?? '';
      for (const line of lines) await this.#line(line);
      while (this.#begun.length > LINE_CHARACTERS_MAX) {
        const piece = this.#begun.slice(0, LINE_CHARACTERS_MAX);
        this.#begun = this.#begun.slice(LINE_CHARACTERS_MAX);
        await this.#line(piece);
      }
    }
    this.#writing = undefined;
  }

  async #end(): Promise<void> {
    await this.#writing;
    const rest = this.#begun + this.#decoder.decode();
    if (rest !== '') await this.#line(rest);
  }

  #line(line: string): Promise<void> {
    return this.#log(`${this.#label}: ${line.replace(/\r+$/, '')}`);
  }
}
