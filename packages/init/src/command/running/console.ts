/**
 * `ginit console`: attaches the terminal of whoever calls it to that of a component. While it is
 * attached every key goes to the component, except the one that detaches.
 */
import { isRecord, optional, record, text, u53 } from '@ginit/core';
import type { ControlClient } from '../control/index.ts';
import type { Output } from '../output.ts';

const BYTES_TEXT = 2 ** 20;
const WORDS = 4096;
/** Bytes of one request; the rest follows in the next. */
const TYPED_BYTES = 16 * 1024;

const begun = record({ console: u53, label: text(WORDS) });
const part = record({ bytes: text(BYTES_TEXT), lostBytes: optional(u53) });

/** The terminal of whoever attaches, or what stands for it. */
export interface OwnTerminal {
  /** Bytes from the keyboard, or from a file or pipe. */
  readonly input: NodeJS.ReadableStream;
  /** Whether the input is a terminal. Then `setRawMode` is there. */
  readonly isTerminal: boolean;
  readonly setRawMode: (raw: boolean) => void;
  /** Writes what the component has written, as it is. Settles when there is room for more. */
  readonly show: (bytes: Uint8Array) => Promise<void>;
  /** The size of the window, if there is one. */
  readonly window: () => { readonly columns: number; readonly lines: number } | undefined;
  /** Calls `changed` when the window has another size; the result ends that. */
  readonly onResize: (changed: () => void) => () => void;
}

/** The terminal of this process. */
export function ownTerminal(): OwnTerminal {
  const { stdin, stdout } = process;
  return {
    input: stdin,
    isTerminal: stdin.isTTY === true,
    setRawMode: (raw) => void stdin.setRawMode(raw),
    show: (bytes) =>
      // The callback comes also when the output has failed or is closed.
      new Promise((resolve) => void stdout.write(bytes, () => resolve())),
    window: () =>
      stdout.isTTY === true && stdout.columns > 0 && stdout.rows > 0
        ? { columns: stdout.columns, lines: stdout.rows }
        : undefined,
    onResize: (changed) => {
      stdout.on('resize', changed);
      return () => void stdout.off('resize', changed);
    },
  };
}

/** How somebody attaches. */
export interface ConsoleOptions {
  readonly label: string;
  /** Whether nothing is typed. */
  readonly look: boolean;
  /** The byte that detaches; `undefined` if every key goes to the component. */
  readonly detachByte: number | undefined;
  /** Aborted when the command is asked to end. */
  readonly interrupted: AbortSignal;
}

/**
 * Attaches until the terminal is closed, the detach key is pressed or the command is interrupted.
 * Rejects with `ControlError` if there is no such terminal.
 */
export async function attachConsole(
  options: ConsoleOptions,
  client: ControlClient,
  output: Output,
  own: OwnTerminal,
): Promise<number> {
  const { label, look, detachByte, interrupted } = options;
  const stop = new AbortController();
  let detached = false;
  const detach = (): void => {
    detached = true;
    stop.abort();
  };
  interrupted.addEventListener('abort', detach, { once: true });
  output.onLoss(detach);
  let keyboard: Keyboard | undefined;
  const item = async (piece: unknown): Promise<void> => {
    if (isRecord(piece) && 'console' in piece) {
      const attached = begun(piece, 'console');
      output.say(`attached to ${attached.label}${look ? ', to look' : ''}; ${wayOut(options, own)}`);
      if (!look) keyboard = new Keyboard(client, attached.console, own, detachByte, detach);
      return;
    }
    const { bytes, lostBytes } = part(piece, 'console');
    if (lostBytes !== undefined) output.say(`${lostBytes} bytes of output were lost: they came too fast`);
    await own.show(Buffer.from(bytes, 'base64'));
  };
  const window = own.window();
  const asked = { label, ...(look ? { look: 'yes' } : {}), ...(window ? { window } : {}) };
  try {
    await client.ask('console', asked, { item, signal: stop.signal });
    keyboard?.release();
    output.say('the terminal is closed');
  } catch (error) {
    keyboard?.release();
    if (!detached) throw error;
    output.say('detached');
  }
  return 0;
}

function wayOut({ detachByte, look }: ConsoleOptions, { isTerminal }: OwnTerminal): string {
  if (look || !isTerminal) return 'Ctrl-C detaches';
  return detachByte === undefined ? 'no key detaches' : `${keyName(detachByte)} detaches`;
}

/** Passes on what is typed. */
class Keyboard {
  readonly #client: ControlClient;
  readonly #console: number;
  readonly #own: OwnTerminal;
  readonly #detachByte: number | undefined;
  readonly #detach: () => void;
  readonly #endResizes: () => void;
  readonly #take = (typed: Buffer | string): void => void this.#typed(Buffer.from(typed));
  #released = false;

  constructor(
    client: ControlClient,
    console_: number,
    own: OwnTerminal,
    detachByte: number | undefined,
    detach: () => void,
  ) {
    this.#client = client;
    this.#console = console_;
    this.#own = own;
    this.#detachByte = own.isTerminal ? detachByte : undefined;
    this.#detach = detach;
    if (own.isTerminal) own.setRawMode(true);
    own.input.on('data', this.#take);
    own.input.on('error', () => {});
    own.input.resume();
    this.#endResizes = own.onResize(() => this.#resized());
  }

  /** Gives the terminal back to the shell. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#endResizes();
    this.#own.input.off('data', this.#take);
    this.#own.input.pause();
    if (this.#own.isTerminal) this.#own.setRawMode(false);
  }

  async #typed(bytes: Buffer): Promise<void> {
    const key = this.#detachByte === undefined ? -1 : bytes.indexOf(this.#detachByte);
    const sent = key === -1 ? bytes : bytes.subarray(0, key);
    // The next keys are read when these have arrived.
    this.#own.input.pause();
    try {
      for (let at = 0; at < sent.byteLength; at += TYPED_BYTES) {
        const piece = sent.subarray(at, at + TYPED_BYTES).toString('base64');
        await this.#client.ask('console_type', { console: this.#console, bytes: piece });
      }
    } catch {
      // The terminal is closed, or the system has ended: the request for its output says so.
    }
    if (key !== -1) this.#detach();
    else if (!this.#released) this.#own.input.resume();
  }

  #resized(): void {
    const window = this.#own.window();
    if (window) this.#client.ask('console_size', { console: this.#console, window }).catch(() => {});
  }
}

const LETTERS = '@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_';

/** The byte of a control key such as `ctrl-]` or `^]`; `undefined` if it is none. */
export function controlByte(key: string): number | undefined {
  const letter = /^(?:ctrl-|\^)(.)$/i.exec(key)?.[1]?.toUpperCase();
  const byte = letter === undefined ? -1 : LETTERS.indexOf(letter);
  return byte === -1 ? undefined : byte;
}

/** The name of the key that sends this byte. */
function keyName(byte: number): string {
  return `Ctrl-${LETTERS[byte]}`;
}
