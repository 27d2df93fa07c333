/**
 * The serial line of a guest at a terminal. One write to the terminal is under way at a time; what
 * the guest writes meanwhile is collected, and goes out as the next one. A guest that writes faster
 * than the terminal takes it is held.
 */
import { hasCode } from '@ginit/core';
import type { TerminalClient } from '@ginit/core/terminal';
import type { Engine } from '../engine/engine.ts';

/** Bytes that wait for the terminal before the guest is held, and when it goes on. */
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
  /** Something that whoever runs the machine should know. */
  told(text: string): void;
}

/** Joins the two. */
export class SerialLine {
  readonly #terminal: Pick<TerminalClient, 'read' | 'write'>;
  readonly #host: SerialHost;
  /** What the guest has written since the write that is under way has begun. */
  #output: number[] = [];
  /** Bytes of the write that is under way. */
  #sentBytes = 0;
  /** The write that is under way. */
  #writing: Promise<void> | undefined;
  #isHeld = false;
  #hasToldOfHolding = false;
  readonly #failures = new Set<string>();
  #typed = new Uint8Array(0);
  #wakeReader: () => void = () => {};
  #feeding = false;
  #lost = false;

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
      this.#failed('reads from', error);
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
    if (this.#feeding || this.#typed.byteLength === 0) return;
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
    while (this.#writing) await this.#writing;
  }

  #flush(): void {
    if (this.#lost) this.#output = [];
    this.#holdOrLetGo();
    if (this.#writing || this.#output.length === 0) return;
    const bytes = Uint8Array.from(this.#output);
    this.#output = [];
    this.#sentBytes = bytes.byteLength;
    this.#writing = this.#terminal
      .write(bytes)
      .catch((error: unknown) => this.#failed('writes to', error))
      .then(() => {
        this.#sentBytes = 0;
        this.#writing = undefined;
        this.#flush();
      });
  }

  #holdOrLetGo(): void {
    const waiting = this.#sentBytes + this.#output.length;
    const isHeld = waiting > (this.#isHeld ? GO_ON_BYTES : HELD_BYTES);
    if (isHeld === this.#isHeld) return;
    this.#isHeld = isHeld;
    this.#host.hold(isHeld);
    // A terminal that is slow now and then would fill the log.
    if (this.#hasToldOfHolding || !isHeld) return;
    this.#hasToldOfHolding = true;
    this.#host.told('the guest is held now and then: its terminal takes its output too slowly');
  }

  /** Only a terminal that is gone is lost for good; another failure costs what it has failed. */
  #failed(what: string, error: unknown): void {
    if (!(hasCode(error, 'PeerGone') || hasCode(error, 'Revoked'))) {
      const text = `${what} the terminal of the serial line fail: ${error instanceof Error ? error.message : String(error)}`;
      if (!this.#failures.has(text)) this.#host.told(text);
      this.#failures.add(text);
      return;
    }
    if (this.#lost) return;
    this.#lost = true;
    this.#host.lost(error);
  }
}
