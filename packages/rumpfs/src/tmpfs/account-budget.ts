/**
 * The memory of a file system in memory, as far as a component's account pays for it. Buffers are
 * memory of this thread, not dataspaces; the account shows them all the same. Each allocation of
 * the account costs a capability, so they grow with the whole: a few of them do for any size.
 */
import { type Env, hasCode } from '@ginit/core';
import { Mutex } from '@ginit/core/async';
import { FsError } from '../errors.ts';
import type { Memory } from './memory.ts';

/** Left free in the account, for needs of sessions beyond their donations. */
const KEPT_BYTES = 64 * 1024;
/** The least that is allocated at a time, and kept when files are removed. */
const STEP_BYTES = 64 * 1024;

/** The part of an account that a budget uses. */
export type BudgetAccount = Pick<Env['pd'], 'allocate' | 'free' | 'state'>;

interface Allocation {
  readonly number: number;
  readonly bytes: number;
}

/** Memory of the account: what is charged, and how much of that is in use. */
export class Budget implements Memory {
  readonly #account: BudgetAccount;
  readonly #allocations: Allocation[] = [];
  readonly #growing = new Mutex();
  #chargedBytes = 0;
  #usedBytes = 0;

  constructor(account: BudgetAccount) {
    this.#account = account;
  }

  /** Bytes in use. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Bytes that can be taken at once. */
  get room(): number {
    return this.#chargedBytes - this.#usedBytes;
  }

  /** Bytes that there may be in all, and how many of them are free. */
  async space(): Promise<{ readonly totalBytes: number; readonly freeBytes: number }> {
    const freeBytes = this.room + (await this.#freeOfAccount());
    return { totalBytes: this.#usedBytes + freeBytes, freeBytes };
  }

  /** Makes room for `bytes`. Rejects with `NoSpace` if the account has not that much. */
  async makeRoom(bytes: number): Promise<void> {
    if (this.room >= bytes) return;
    await this.#growing.acquire();
    try {
      const missing = bytes - this.room;
      if (missing > 0) await this.#grow(missing);
    } finally {
      this.#growing.release();
    }
  }

  /** Takes `bytes` into use, for which there is room. */
  take(bytes: number): void {
    if (bytes > this.room) throw new Error('assertion failed: room is made before it is taken');
    this.#usedBytes += bytes;
  }

  /** Gives `bytes` back, and to the account what it is not going to need soon. */
  give(bytes: number): void {
    this.#usedBytes -= bytes;
    for (let last = this.#allocations.at(-1); last; last = this.#allocations.at(-1)) {
      if (this.room - last.bytes < STEP_BYTES) break;
      this.#allocations.pop();
      this.#chargedBytes -= last.bytes;
      // If the supervisor is gone, so is the account.
      this.#account.free(last.number).catch(() => {});
    }
  }

  /** Gives everything back to the account. Nothing is taken any more. */
  async end(): Promise<void> {
    const allocations = this.#allocations.splice(0);
    this.#chargedBytes = 0;
    for (const { number } of allocations) await this.#account.free(number);
  }

  async #grow(missing: number): Promise<void> {
    const grown = Math.max(missing, STEP_BYTES, Math.floor(this.#chargedBytes / 2));
    if (await this.#allocate(grown)) return;
    const free = await this.#freeOfAccount();
    if (free >= missing && (await this.#allocate(free))) return;
    throw new FsError('NoSpace', 'the RAM quota is used up');
  }

  async #allocate(bytes: number): Promise<boolean> {
    try {
      const number = await this.#account.allocate({ ram: bytes, caps: 1 });
      this.#allocations.push({ number, bytes });
      this.#chargedBytes += bytes;
      return true;
    } catch (error) {
      if (hasCode(error, 'OUT_OF_RAM') || hasCode(error, 'OUT_OF_CAPS')) return false;
      throw error;
    }
  }

  async #freeOfAccount(): Promise<number> {
    const { ramQuota, ramUsed } = await this.#account.state();
    return Math.max(0, ramQuota - ramUsed - KEPT_BYTES);
  }
}
