/**
 * The serial line of a guest at a terminal. What the guest writes is collected for a turn and goes
 * out as one write. A guest that writes faster than the terminal takes it is held.
 */
import type { TerminalClient } from '@ginit/core/terminal';
import type { Engine } from '../engine/engine.ts';

/** What waits for the terminal before the guest is held, and when it goes on. */
const HELD_BYTES = 256 * 1024;
const GO_ON_BYTES = 64 * 1024;
/** What was typed and waits for the guest; the terminal keeps the rest. */
const TYPED_BYTES = 256;

/** What the line does to the machine. */
export interface SerialHost {
  /** Holds the guest, or lets it go on. */
  hold(is: boolean): void;
  /** The terminal is gone. */
  lost(error: unknown): void;
}

/** Joins the two. */
export class SerialLine {
  readonly #terminal: Pick<TerminalClient, 'read' | 'write'>;
  readonly #host: SerialHost;
  #output: number[] = [];
  #waiting = 0;
  #typed = new Uint8Array(0);
  #wakeReader: () => void = () => {};
  #feeding = false;
  #lost = false;
  /** The newest write. */
  #writing: Promise<void> = Promise.resolve();

  constructor(terminal: Pick<TerminalClient, 'read' | 'write'>, host: SerialHost) {
    this.#terminal = terminal;
    this.#host = host;
  }

  /** Reads from the terminal until that is gone. `wake` lets a sleeping guest see what has come. */
  async readAll(wake: () => void): Promise<void> {
    try {
      for (;;) {
        this.#typed = (await this.#terminal.read(TYPED_BYTES)).slice();
        wake();
        if (this.#typed.byteLength > 0) await new Promise<void>((resolve) => (this.#wakeReader = resolve));
      }
    } catch (error) {
      this.#lose(error);
    }
  }

  /** The guest has written a byte. */
  written(byte: number): void {
    this.#output.push(byte);
  }

  /** Moves what has come in either direction. */
  turn(engine: Pick<Engine, 'serialRoom' | 'serialInput'>): void {
    this.#flush();
    // Giving the guest a byte wakes its processor, and that is a turn again.
    if (this.#feeding) return;
    this.#feeding = true;
    const count = Math.min(engine.serialRoom, this.#typed.byteLength);
    const piece = this.#typed.subarray(0, count);
    this.#typed = this.#typed.subarray(count);
    if (count > 0) engine.serialInput(piece);
    this.#feeding = false;
    if (count > 0 && this.#typed.byteLength === 0) this.#wakeReader();
  }

  /** Settles when the terminal has everything that was written so far. */
  async end(): Promise<void> {
    this.#flush();
    while (this.#waiting > 0 && !this.#lost) await this.#writing;
  }

  #flush(): void {
    if (this.#output.length === 0) return;
    const bytes = Uint8Array.from(this.#output);
    this.#output = [];
    if (this.#lost) return;
    this.#waiting += bytes.byteLength;
    if (this.#waiting > HELD_BYTES) this.#host.hold(true);
    this.#writing = this.#terminal.write(bytes).then(
      () => {
        this.#waiting -= bytes.byteLength;
        if (this.#waiting < GO_ON_BYTES) this.#host.hold(false);
      },
      (error: unknown) => {
        this.#waiting = 0;
        this.#host.hold(false);
        this.#lose(error);
      },
    );
  }

  #lose(error: unknown): void {
    if (this.#lost) return;
    this.#lost = true;
    this.#host.lost(error);
  }
}
