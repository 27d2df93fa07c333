/** A Terminal session as a file: who reads first has what was typed. */
import type { Session, SessionOpening } from '@ginit/core';
import { copyInto } from '@ginit/core/packet-stream';
import { Terminal } from '@ginit/core/terminal';
import type { SingleFile } from './single-entry.ts';

/** The most that one call carries. */
const PIECE_BYTES = 4096;

/** The file. */
export class TerminalFile implements SingleFile {
  readonly writeable = true;
  readonly unsized = true;
  readonly sizeBytes = 0;
  readonly #close: (session: object) => Promise<unknown>;
  #session: Session<typeof Terminal>;
  // One call waits for all who wait: those who give up leave none behind.
  #readable: Promise<void> | undefined;
  #takes: Promise<void> | undefined;

  private constructor(session: Session<typeof Terminal>, close: (session: object) => Promise<unknown>) {
    this.#session = session;
    this.#close = close;
  }

  /** Rejects with `SessionError`. */
  static async open(env: SessionOpening, label: string): Promise<TerminalFile> {
    const onReattach = (session: Session<typeof Terminal>): void => file.#follow(session);
    const session = await env.connect(Terminal, { label, onReattach });
    const file: TerminalFile = new TerminalFile(session, (open) => env.close(open));
    return file;
  }

  async read(_: number, into: Uint8Array): Promise<number> {
    const bytes = await this.#session.read(Math.min(into.length, PIECE_BYTES));
    copyInto(into, bytes);
    return bytes.length;
  }

  write(_: number | undefined, from: Uint8Array): Promise<number> {
    return this.#session.write(from.slice(0, PIECE_BYTES));
  }

  async truncate(): Promise<void> {}

  readReady(): Promise<void> {
    this.#readable ??= this.#session.readAvail().finally(() => {
      this.#readable = undefined;
    });
    return this.#readable;
  }

  writeReady(): Promise<void> {
    this.#takes ??= this.#session.writeAvail().finally(() => {
      this.#takes = undefined;
    });
    return this.#takes;
  }

  async close(): Promise<void> {
    await this.#close(this.#session);
  }

  #follow(session: Session<typeof Terminal>): void {
    this.#session = session;
  }
}
