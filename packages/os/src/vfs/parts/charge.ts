/** Memory of this thread that the account of the component shows and pays for. */
import type { Env } from '@ginit/core';

/** The part of an account that is used. */
export type Account = Pick<Env['pd'], 'allocate' | 'free'>;

/** What one thing costs. Calls of `set` must not overlap. */
export class Charge {
  readonly #account: Account;
  #allocation: number | undefined;

  constructor(account: Account) {
    this.#account = account;
  }

  /** From now on it is so many bytes. Rejects with `OUT_OF_RAM` or `OUT_OF_CAPS`: all stays. */
  async set(bytes: number): Promise<void> {
    const before = this.#allocation;
    this.#allocation = bytes > 0 ? await this.#account.allocate({ ram: bytes, caps: 1 }) : undefined;
    if (before !== undefined) await this.#account.free(before);
  }
}
