/** Which components run on which account. They end with it, because nobody would pay for them. */
import type { Account } from './account.ts';

/** Something that an account pays for. */
export interface PaidThread {
  /** Ends the component and dissolves its `Thread` object. Settles when nothing of it is left. */
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

  /** Ends the components that run on an account which is about to end. */
  async endOn(account: Account): Promise<void> {
    const threads = [...(this.#threads.get(account) ?? [])];
    await Promise.all(threads.map((thread) => thread.dissolve()));
  }
}
