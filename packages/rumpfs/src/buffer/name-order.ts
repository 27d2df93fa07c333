/**
 * The largest number of levels of directory blocks that wait for one another. Every level costs a
 * sync of the device.
 */
const LEVELS_MAX = 4;

/** The place of a directory block in the order in which a pass writes. */
interface Place {
  /** The level of the block. It is written after those of the lower levels are durable. */
  readonly level: number;
  /** Whether other blocks must be written after it. */
  readonly followed: boolean;
  /** The number of passes that had begun when this was recorded. */
  readonly pass: number;
}

/** Records which directory blocks must be durable before which others are written. */
export class NameOrder {
  readonly #places = new Map<number, Place>();

  /**
   * Says that `first`, which is dirty, goes before `then`. False where that is impossible, because
   * another block already goes behind `then`, or the chain gets too long. `pass` is the number of
   * passes that have begun.
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

  /** The level of a block: the number of blocks in the chain before it. */
  levelOf(block: number): number {
    return this.#places.get(block)?.level ?? 0;
  }

  /**
   * Says that a block was written. The waiting between it and other blocks is over, unless it was
   * recorded in this pass.
   */
  written(block: number, pass: number): void {
    if (this.#places.get(block)?.pass !== pass) this.#places.delete(block);
  }

  /** Forgets a block that was given up. */
  forget(block: number): void {
    this.#places.delete(block);
  }
}
