/** Of so many directory blocks each may have to wait for another; every one costs a sync of the device. */
const LEVELS_MAX = 4;

/** The place of a directory block among those that a pass writes. */
interface Place {
  /** Written after those of the lower levels are durable. */
  readonly level: number;
  /** Others must be written after it. */
  readonly followed: boolean;
  /** The pass before which, or during which, that was said. */
  readonly pass: number;
}

/** Which directory blocks must be durable before which others are written. */
export class NameOrder {
  readonly #places = new Map<number, Place>();

  /**
   * `first`, which is dirty, goes before `then`. False where that cannot be, because something goes behind `then` already
   * or the line gets too long. `pass` counts the passes that have begun.
   */
  add(first: number, then: number, pass: number): boolean {
    const ahead = this.#places.get(first);
    const behind = this.#places.get(then);
    const aheadLevel = ahead?.level ?? 0;
    const behindLevel = behind?.level ?? 0;
    const followed = behind?.followed ?? false;
    const level = Math.max(behindLevel, aheadLevel + 1);
    if (level > behindLevel && (followed || level >= LEVELS_MAX)) return false;
    this.#places.set(then, { level, followed, pass });
    this.#places.set(first, { level: aheadLevel, followed: true, pass });
    return true;
  }

  /** Behind how many others a block goes out. */
  levelOf(block: number): number {
    return this.#places.get(block)?.level ?? 0;
  }

  /** A block was written as it is: what it waited for, and who waited for it, is over, unless that was said in this pass. */
  written(block: number, pass: number): void {
    if (this.#places.get(block)?.pass !== pass) this.#places.delete(block);
  }

  /** A block was given up. */
  forget(block: number): void {
    this.#places.delete(block);
  }
}
