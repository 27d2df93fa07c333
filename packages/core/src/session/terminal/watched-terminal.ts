/**
 * A terminal that people look at: any number of watchers, up to a bound, see the same output, and
 * what was written before they came as far as it is kept. Nobody who looks, or does not look, holds
 * up the component that writes: a watcher that is too slow is told how much it has missed.
 */
import { Condition, Mutex } from '../../async/index.ts';
import { PeerGone, RpcError } from '../../errors.ts';
import type { Implementation } from '../../interface/interface.ts';
import { LIMITS } from '../../limits.ts';
import { type Terminal, terminalBuffers, type TerminalSize } from './declaration.ts';
import { ScrollBack, type ScrolledPart } from './scroll-back.ts';
import { ServedTerminal, type TerminalSessionContext } from './served-terminal.ts';

/** Inputs of one watcher that wait for their turn; more are refused. */
const INPUTS_WAITING = 64;

/** Serves one Terminal session to people. */
export class WatchedTerminal {
  readonly #terminal: ServedTerminal;
  readonly #output: ScrollBack;
  readonly #watchers = new Set<TerminalWatcher>();
  /** Wakes with every change: output, room for input, or the end. */
  readonly #change = new Condition();

  constructor(session: TerminalSessionContext, closed: () => void | Promise<void> = () => {}) {
    this.#output = new ScrollBack(terminalBuffers(session.args).scrollBackBytes);
    this.#terminal = new ServedTerminal(session, {
      written: () => {
        this.#output.append(this.#terminal.take());
        this.#change.wakeAll();
      },
      drained: () => this.#change.wakeAll(),
      closed: () => {
        this.#change.wakeAll();
        return closed();
      },
    });
    // What is written is kept for whoever comes, so the client need not wait for anybody.
    this.#terminal.connect();
  }

  /** The object that answers the client. */
  get session(): Implementation<typeof Terminal> {
    return this.#terminal.session;
  }

  /** Whether the session was closed. */
  get closed(): boolean {
    return this.#terminal.closed;
  }

  /** One more watcher. Throws `LimitExceeded` if there are too many. */
  watch(): TerminalWatcher {
    if (this.#watchers.size >= LIMITS.terminalWatchers) {
      throw new RpcError('LimitExceeded', `${LIMITS.terminalWatchers} look at this terminal already`);
    }
    const watcher = new TerminalWatcher({
      closed: () => this.closed,
      start: this.#output.start,
      output: (position, bytesMax) =>
        position < this.#output.end ? this.#output.from(position, bytesMax) : undefined,
      input: (bytes) => this.#terminal.push(bytes),
      change: () => this.#change.wait(),
      resized: () => this.#fit(),
      left: () => {
        this.#watchers.delete(watcher);
        this.#fit();
        this.#change.wakeAll();
      },
    });
    this.#watchers.add(watcher);
    return watcher;
  }

  /** The terminal is as large as the smallest window, so that everybody sees all of it. */
  #fit(): void {
    const sizes = [...this.#watchers].flatMap(({ size }) => size ?? []);
    if (sizes.length === 0) return;
    this.#terminal.resize({
      columns: Math.min(...sizes.map(({ columns }) => columns)),
      lines: Math.min(...sizes.map(({ lines }) => lines)),
    });
  }
}

/** The terminal as one watcher reaches it. */
interface WatchedParts {
  readonly closed: () => boolean;
  readonly start: number;
  /** What was written from `position` on; `undefined` if that is nothing. */
  readonly output: (position: number, bytesMax: number) => ScrolledPart | undefined;
  readonly input: (bytes: Uint8Array) => number;
  readonly change: () => Promise<void>;
  readonly resized: () => void;
  readonly left: () => void;
}

/** Somebody who looks at a terminal, and perhaps types. */
export class TerminalWatcher {
  readonly #parts: WatchedParts;
  readonly #typing = new Mutex({ waitersMax: INPUTS_WAITING, refusal: tooMuchInput });
  #position: number;
  #size: TerminalSize | undefined;
  #left = false;

  constructor(parts: WatchedParts) {
    this.#parts = parts;
    this.#position = parts.start;
  }

  /** The size of the watcher's window, if it has said one. */
  get size(): TerminalSize | undefined {
    return this.#size;
  }

  resize(size: TerminalSize): void {
    if (this.#left) return;
    this.#size = size;
    this.#parts.resized();
  }

  /**
   * The next output, at most `bytesMax` bytes, beginning with what was kept from before; waits for
   * some. `undefined` when the terminal is closed, or this watcher has left. One call at a time.
   */
  async next(bytesMax: number): Promise<Pick<ScrolledPart, 'bytes' | 'lostBytes'> | undefined> {
    while (!this.#left) {
      const part = this.#parts.output(this.#position, bytesMax);
      if (part) {
        this.#position = part.next;
        return part;
      }
      if (this.#parts.closed()) return undefined;
      await this.#parts.change();
    }
    return undefined;
  }

  /**
   * Types: settles when the client's buffer has taken everything. Rejects with `PeerGone` when the
   * terminal is closed or this watcher has left before that.
   */
  async type(bytes: Uint8Array): Promise<void> {
    await this.#typing.acquire();
    try {
      for (let at = 0; at < bytes.byteLength; ) {
        if (this.#left || this.#parts.closed()) throw new PeerGone('the terminal is closed');
        const count = this.#parts.input(bytes.subarray(at));
        at += count;
        if (count === 0) await this.#parts.change();
      }
    } finally {
      this.#typing.release();
    }
  }

  /** Leaves. What waits settles. */
  leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.#parts.left();
  }
}

function tooMuchInput(): RpcError {
  return new RpcError('LimitExceeded', 'too much input waits for this terminal');
}
