/**
 * The server's side of a Terminal session: two bounded queues of bytes, and word for both sides
 * when there is something to read or room to write.
 */
import { Condition } from '../../async/index.ts';
import type { Implementation } from '../../interface/interface.ts';
import type { SessionArguments } from '../parent.ts';
import { ByteQueue } from './byte-queue.ts';
import { type Terminal, terminalBuffers, TERMINAL_SIZE_DEFAULT, type TerminalSize } from './declaration.ts';

/** The part of a session request that is needed to serve it. */
export interface TerminalSessionContext {
  readonly args: SessionArguments;
}

/** What the server is told of one terminal. None of these may throw. */
export interface TerminalEvents {
  /** The client has written; `take` gives it out. */
  readonly written?: () => void;
  /** The client has read, so that `push` has room again. */
  readonly drained?: () => void;
  /** The session was closed. */
  readonly closed?: () => void | Promise<void>;
}

/**
 * One terminal as its server has it.
 *
 *     env.provide(Terminal, (session) => {
 *       const terminal = new ServedTerminal(session, { written: () => show(terminal.take()) });
 *       terminal.connect();
 *       return terminal.session;
 *     });
 */
export class ServedTerminal {
  /** The object that answers the client. */
  readonly session: Implementation<typeof Terminal>;
  readonly #toClient: ByteQueue;
  readonly #fromClient: ByteQueue;
  readonly #events: TerminalEvents;
  readonly #readable = new Condition();
  readonly #writeable = new Condition();
  readonly #connection = new Condition();
  readonly #resizing = new Condition();
  #size = TERMINAL_SIZE_DEFAULT;
  #connected = false;
  #closed = false;

  constructor({ args }: TerminalSessionContext, events: TerminalEvents = {}) {
    const { bufferBytes } = terminalBuffers(args);
    this.#toClient = new ByteQueue(bufferBytes);
    this.#fromClient = new ByteQueue(bufferBytes);
    this.#events = events;
    this.session = this.#implementation();
  }

  /** Whether the session was closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /** The bytes that the client can still be sent. */
  get room(): number {
    return this.#toClient.room;
  }

  /** The bytes that the client has written and nobody has taken. */
  get pending(): number {
    return this.#fromClient.length;
  }

  get size(): TerminalSize {
    return this.#size;
  }

  /** From now on there is a terminal at this end: the client may go on. */
  connect(): void {
    this.#connected = true;
    this.#connection.wakeAll();
  }

  resize({ columns, lines }: TerminalSize): void {
    if (this.#isSize({ columns, lines })) return;
    this.#size = { columns, lines };
    this.#resizing.wakeAll();
  }

  /** Sends bytes from the front of `bytes` to the client; the result is how many. */
  push(bytes: Uint8Array): number {
    const count = this.#toClient.push(bytes);
    if (count > 0) this.#readable.wakeAll();
    return count;
  }

  /** Takes at most `bytesMax` of the bytes that the client has written. */
  take(bytesMax?: number): Uint8Array {
    const taken = this.#fromClient.take(bytesMax);
    if (taken.byteLength > 0) this.#writeable.wakeAll();
    return taken;
  }

  #isSize({ columns, lines }: TerminalSize): boolean {
    return columns === this.#size.columns && lines === this.#size.lines;
  }

  /** Waits for a state, or for the end of the session. */
  async #until(holds: () => boolean, word: Condition): Promise<void> {
    while (!holds() && !this.#closed) await word.wait();
  }

  #implementation(): Implementation<typeof Terminal> {
    return {
      size: () => this.#size,
      resized: async (seen) => {
        await this.#until(() => !this.#isSize(seen), this.#resizing);
        return this.#size;
      },
      connected: () => this.#until(() => this.#connected, this.#connection),
      avail: () => this.#toClient.length,
      read: (bytesMax) => {
        const bytes = this.#toClient.take(bytesMax);
        if (bytes.byteLength > 0) this.#events.drained?.();
        return bytes;
      },
      readAvail: () => this.#until(() => this.#toClient.length > 0, this.#readable),
      write: (content) => {
        const count = this.#fromClient.push(content);
        if (count > 0) this.#events.written?.();
        return count;
      },
      writeAvail: () => this.#until(() => this.#fromClient.room > 0, this.#writeable),
      [Symbol.asyncDispose]: async () => {
        this.#closed = true;
        for (const word of [this.#readable, this.#writeable, this.#connection, this.#resizing])
          word.wakeAll();
        await this.#events.closed?.();
      },
    };
  }
}
