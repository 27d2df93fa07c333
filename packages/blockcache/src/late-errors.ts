/**
 * Errors of writes that had been answered before they failed. Each is told once to the SYNC of
 * everybody whom it concerns: of the client that has written the chunk, or of all if several have.
 */
import type { RpcError } from '@ginit/core';
import { ANY_WRITER } from './chunk-store.ts';

export class LateErrors {
  readonly #pending = new Map<number, RpcError>();
  /** Who can be told: the writers that there are. */
  readonly #writers = new Set<number>();
  #last: RpcError | undefined;

  /** The error that came last. */
  get last(): RpcError | undefined {
    return this.#last;
  }

  /** There is another client. The result is its number as a writer. */
  join(): number {
    for (let writer = 0; writer < ANY_WRITER; writer++) {
      if (this.#writers.has(writer)) continue;
      this.#writers.add(writer);
      return writer;
    }
    // More clients than numbers: the last ones share one, and each hears of the others' errors.
    return ANY_WRITER;
  }

  leave(writer: number): void {
    this.#writers.delete(writer);
    this.#pending.delete(writer);
  }

  add(writer: number, error: RpcError): void {
    this.#last = error;
    // A writer that has gone cannot be told; whoever still uses the device should know.
    const known = writer !== ANY_WRITER && this.#writers.has(writer);
    if (known) this.#pending.set(writer, error);
    else for (const each of [...this.#writers, ANY_WRITER]) this.#pending.set(each, error);
  }

  /** What a writer has to be told. It is told once. */
  take(writer: number): RpcError | undefined {
    const error = this.#pending.get(writer);
    this.#pending.delete(writer);
    return error;
  }
}
