/** Which components run on which account: they end with it, as nobody would pay for them any more. */
import type { Account } from './account.ts';

/** Something that an account pays for. */
export interface PaidThread {
  /** Ends it, and the object that stands for it; settles when nothing of it is left. */
  dissolve(): Promise<void>;
}

/** The components of every account. */
export class ThreadsByAccount {
  readonly #threads = new Map<Account, Set<PaidThread>>();

  add(account: Account, thread: PaidThread): void {
    const known = this.#threads.get(account) ?? new Set<PaidThread>();
    this.#threads.set(account, known.add(thread));
  }

  remove(account: Account, thread: PaidThread): void {
    const known = this.#threads.get(account);
    if (known?.delete(thread) && known.size === 0) this.#threads.delete(account);
  }

  /** The account is about to end. */
  async endOn(account: Account): Promise<void> {
    const threads = [...(this.#threads.get(account) ?? [])];
    await Promise.all(threads.map((thread) => thread.dissolve()));
  }
}
