/** The client's side of a Terminal session: reads that wait for bytes, and writes of everything. */
import { Mutex } from '../../async/index.ts';
import { RpcError } from '../../errors.ts';
import type { Session } from '../../interface/interface.ts';
import { LIMITS } from '../../limits.ts';
import type { SessionOpening } from '../session-opening.ts';
import { Terminal, type TerminalSize } from './declaration.ts';

/** Writes that wait for their turn; more are refused. */
const WRITES_WAITING = 1024;
/** The most that one call carries. */
const PIECE_BYTES = Math.min(LIMITS.terminalBufferBytes, 16 * 1024);

/** How a terminal is asked for. */
export interface ConnectTerminalOptions {
  readonly label?: string;
  /** Bytes of the buffer of each direction. */
  readonly bufferBytes?: number;
  /** Bytes of output that are kept for those who look later. */
  readonly scrollBackBytes?: number;
}

/**
 * A terminal.
 *
 *     const terminal = await TerminalClient.connect(env, { label: 'serial' });
 *     await terminal.write(new TextEncoder().encode('login: '));
 *     const typed = await terminal.read();
 *
 * Every promise rejects with `PeerGone` when the server is gone.
 */
export class TerminalClient {
  readonly #session: Session<typeof Terminal>;
  readonly #close: () => Promise<unknown>;
  readonly #writing = new Mutex({ waitersMax: WRITES_WAITING, refusal: tooManyWrites });

  private constructor(session: Session<typeof Terminal>, close: () => Promise<unknown>) {
    this.#session = session;
    this.#close = close;
  }

  /**
   * Opens a terminal, and waits until there is one at the other end. Rejects with `SessionError`.
   */
  static async connect(env: SessionOpening, options: ConnectTerminalOptions = {}): Promise<TerminalClient> {
    const { label, bufferBytes, scrollBackBytes } = options;
    const session = await env.connect(Terminal, {
      ...(label === undefined ? {} : { label }),
      args: {
        ...(bufferBytes === undefined ? {} : { buffer_size: bufferBytes }),
        ...(scrollBackBytes === undefined ? {} : { scroll_back: scrollBackBytes }),
      },
    });
    const close = (): Promise<unknown> => env.close(session);
    try {
      await session.connected();
    } catch (error) {
      await close().catch(() => {});
      throw error;
    }
    return new TerminalClient(session, close);
  }

  size(): Promise<TerminalSize> {
    return this.#session.size();
  }

  /** Settles with the size as soon as it is another than `seen`. */
  resized(seen: TerminalSize): Promise<TerminalSize> {
    return this.#session.resized(seen);
  }

  /** The next bytes, at least one and at most `bytesMax`; waits for them. */
  async read(bytesMax = PIECE_BYTES): Promise<Uint8Array> {
    for (;;) {
      const bytes = await this.#session.read(Math.max(1, bytesMax));
      if (bytes.byteLength > 0) return bytes;
      await this.#session.readAvail();
    }
  }

  /** Writes all of it, behind what was written before. Settles when the terminal has taken it. */
  async write(content: Uint8Array): Promise<void> {
    await this.#writing.acquire();
    try {
      for (let at = 0; at < content.byteLength; ) {
        const count = await this.#session.write(content.subarray(at, at + PIECE_BYTES));
        at += count;
        if (count === 0) await this.#session.writeAvail();
      }
    } finally {
      this.#writing.release();
    }
  }

  /** Closes the session; what waits rejects. */
  async close(): Promise<void> {
    await this.#close();
  }
}

function tooManyWrites(): RpcError {
  return new RpcError('LimitExceeded', 'too many writes wait for the terminal');
}
