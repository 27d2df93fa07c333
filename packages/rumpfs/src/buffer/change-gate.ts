import { Condition } from '@ginit/core/async';
import { WAITERS } from '../hypercall/waiters.ts';

/** What is waiting to be committed, and by how much it may grow. */
export interface Backlog {
  /** The number of dirty structures. */
  readonly count: number;
  /** With more no operation begins before the next commit. */
  readonly max: number;
}

/**
 * Lets operations begin and end, and holds new ones back while a commit waits for those under way:
 * a transaction has whole operations in it. So many may be under way that what they change still
 * fits into the transaction.
 */
export class ChangeGate {
  readonly #most: number;
  readonly #backlog: () => Backlog;
  readonly #startCommit: () => Promise<void>;
  readonly #opened = new Condition(WAITERS);
  readonly #ended = new Condition(WAITERS);
  #underWay = 0;
  #closed = false;

  /**
   * @param most the operations that may be under way at a time
   * @param startCommit starts a commit if none runs; the result resolves when one has ended
   */
  constructor(most: number, backlog: () => Backlog, startCommit: () => Promise<void>) {
    this.#most = Math.max(1, most);
    this.#backlog = backlog;
    this.#startCommit = startCommit;
  }

  /** Begins an operation, if one may begin now. It ends with `leave`. */
  tryEnter(): boolean {
    if (this.#closed || this.#underWay >= this.#most || this.#crowded) return false;
    this.#underWay += 1;
    return true;
  }

  /** Begins an operation as soon as one may. */
  async enter(): Promise<void> {
    while (!this.tryEnter()) {
      if (!this.#closed && this.#crowded) await this.#startCommit();
      else await this.#opened.wait();
    }
  }

  leave(): void {
    this.#underWay -= 1;
    if (this.#underWay === 0) this.#ended.wakeAll();
    if (!this.#closed) this.#opened.wakeOne();
  }

  /** Whether an operation that could be interrupted here should be, so that a commit can run. */
  get wanted(): boolean {
    return this.#closed || this.#crowded;
  }

  /** Resolves when no operation is under way. None begins before `open`. */
  async close(): Promise<void> {
    this.#closed = true;
    while (this.#underWay > 0) await this.#ended.wait();
  }

  open(): void {
    this.#closed = false;
    this.#opened.wakeAll();
  }

  get #crowded(): boolean {
    const { count, max } = this.#backlog();
    return count > max;
  }
}
