/**
 * The requests of the kernel that are not answered yet. One that was interrupted and still is not
 * done after a moment is answered by EINTR: the moment lets what is only slow end as programs
 * expect it, who do not look for EINTR at files. One that takes longer than the config allows is
 * answered by EIO. Whatever becomes of the work afterwards, the kernel does not hear of it.
 */
import type { HostMount } from '@ginit/core/host';
import { ERRNO, errnoOf } from './errno.ts';
import { HEADER_BYTES } from './protocol/constants.ts';

const INTERRUPT_GRACE_MS = 300;
/** How often it is looked for requests that take too long. */
const LOOK_MS = 250;

/** Calls once after some time; the result takes that back. */
export type After = (ms: number, handler: () => void) => () => void;

/** What the exchanges of a mount have in common. */
export interface ExchangesParts {
  readonly mount: Pick<HostMount, 'answer'>;
  readonly after: After;
  /** After how long a request ends with EIO; undefined: never. */
  readonly timeoutMs: number | undefined;
  /** Takes errors that nobody meant to throw. */
  readonly report: (error: unknown) => void;
}

/** A request that waits for its answer. */
export class Exchange {
  readonly unique: number;
  readonly #exchanges: Exchanges;
  /** Looks that have been made for requests that take too long since it came. */
  looks = 0;
  #answered = false;

  constructor(exchanges: Exchanges, unique: number) {
    this.#exchanges = exchanges;
    this.unique = unique;
  }

  get answered(): boolean {
    return this.#answered;
  }

  /**
   * Answers with the fields of the result. False if the kernel does not know of it: what it was
   * told to remember must be forgotten.
   */
  answer(...parts: readonly Uint8Array[]): boolean {
    return this.#send(0, parts);
  }

  fail(errno: number): void {
    this.#send(errno, []);
  }

  #send(errno: number, parts: readonly Uint8Array[]): boolean {
    if (this.#answered) return false;
    this.#answered = true;
    return this.#exchanges.send(this, errno, parts);
  }
}

/** All of them. */
export class Exchanges {
  readonly #parts: ExchangesParts;
  /** In the order in which they came. */
  readonly #waiting = new Map<number, Exchange>();
  readonly #header = new Uint8Array(HEADER_BYTES.answer);
  readonly #view = new DataView(this.#header.buffer);
  #looking = false;

  constructor(parts: ExchangesParts) {
    this.#parts = parts;
  }

  /** Requests that are not answered. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Has a request answered by `operation`, or by the error that it throws. */
  begin(unique: number, operation: (exchange: Exchange) => Promise<void>): void {
    const exchange = new Exchange(this, unique);
    this.#waiting.set(unique, exchange);
    this.#lookLater();
    this.#run(exchange, operation).catch(this.#parts.report);
  }

  /** The kernel does not want to wait for an answer any more. */
  interrupt(unique: number): void {
    const exchange = this.#waiting.get(unique);
    if (exchange) this.#parts.after(INTERRUPT_GRACE_MS, () => exchange.fail(ERRNO.EINTR));
  }

  /** Sends the answer to a request. False if the kernel does not want it. */
  send(exchange: Exchange, errno: number, parts: readonly Uint8Array[]): boolean {
    this.#waiting.delete(exchange.unique);
    let length = HEADER_BYTES.answer;
    for (const part of parts) length += part.length;
    this.#view.setUint32(0, length, true);
    this.#view.setInt32(4, -errno, true);
    this.#view.setUint32(8, exchange.unique % 2 ** 32, true);
    this.#view.setUint32(12, Math.floor(exchange.unique / 2 ** 32), true);
    return this.#parts.mount.answer([this.#header, ...parts]);
  }

  async #run(exchange: Exchange, operation: (exchange: Exchange) => Promise<void>): Promise<void> {
    try {
      await operation(exchange);
    } catch (error) {
      const errno = errnoOf(error);
      exchange.fail(errno ?? ERRNO.EIO);
      if (errno === undefined) throw error;
    }
  }

  #lookLater(): void {
    const { timeoutMs, after } = this.#parts;
    if (timeoutMs === undefined || this.#looking) return;
    this.#looking = true;
    after(LOOK_MS, () => {
      this.#looking = false;
      for (const exchange of this.#waiting.values()) {
        exchange.looks++;
        if (exchange.looks * LOOK_MS > timeoutMs) exchange.fail(ERRNO.EIO);
      }
      if (this.#waiting.size > 0) this.#lookLater();
    });
  }
}
