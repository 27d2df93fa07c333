/**
 * The changes that a server has answered and not put on stable storage yet. If the server is
 * started again, or its host is, it may have lost them, and a later FLUSH would succeed all the
 * same. So they are kept, to be made again on the next connection, until a FLUSH that came after
 * them has been answered.
 */

/** A change of the device, in bytes. */
export type Change =
  | { readonly kind: 'write'; readonly position: number; readonly data: Uint8Array }
  | { readonly kind: 'zero' | 'trim'; readonly position: number; readonly bytes: number };

/** What a change without data counts for. */
const CHANGE_BYTES = 128;

export class Journal {
  #changes: Change[] = [];
  /** How many changes were dropped so far: the number of the first one that is held. */
  #dropped = 0;
  #bytes = 0;

  /** The memory that it takes, about. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The changes, in the order in which they were answered. */
  get changes(): readonly Change[] {
    return this.#changes;
  }

  /** Adds a change that was answered. */
  add(change: Change): void {
    this.#changes.push(change);
    this.#bytes += sizeOf(change);
  }

  /** A mark behind all changes so far, for `drop`. */
  mark(): number {
    return this.#dropped + this.#changes.length;
  }

  /** Drops the changes before the mark: they are on stable storage. */
  drop(mark: number): void {
    const count = Math.max(0, mark - this.#dropped);
    for (const change of this.#changes.slice(0, count)) this.#bytes -= sizeOf(change);
    this.#changes = this.#changes.slice(count);
    this.#dropped += count;
  }
}

const sizeOf = (change: Change): number =>
  CHANGE_BYTES + (change.kind === 'write' ? change.data.byteLength : 0);
