/**
 * Keeps changes of a device apart that must not overtake each other: such as a write that reads
 * blocks first, because it changes only a part of them. A change that is *apart* waits for all
 * changes before it that meet its range, and those behind it wait for it. Others do not wait for
 * each other, and pay nothing while there is none that is apart.
 */
import { type Deferred, deferred } from '@ginit/core/async';

interface Range {
  readonly from: number;
  readonly to: number;
  readonly apart: boolean;
  /** Made when somebody waits for the end. */
  ended: Deferred<void> | undefined;
}

export class RangeOrder {
  /** The ranges under way, in the order in which they came. */
  readonly #ranges = new Set<Range>();
  #apart = 0;

  /** Runs `action`, which changes what lies from `from` to before `to`, when it is its turn. */
  async run<Result>(
    from: number,
    to: number,
    apart: boolean,
    action: () => Promise<Result>,
  ): Promise<Result> {
    const before = apart || this.#apart > 0 ? this.#meeting(from, to, apart) : [];
    const range: Range = { from, to, apart, ended: undefined };
    this.#ranges.add(range);
    if (apart) this.#apart++;
    try {
      for (const ended of before) await ended;
      return await action();
    } finally {
      this.#ranges.delete(range);
      if (apart) this.#apart--;
      range.ended?.resolve();
    }
  }

  /** The ends of those that must have ended before. */
  #meeting(from: number, to: number, apart: boolean): Promise<void>[] {
    const ends: Promise<void>[] = [];
    for (const other of this.#ranges) {
      if ((!apart && !other.apart) || other.from >= to || from >= other.to) continue;
      other.ended ??= deferred();
      ends.push(other.ended.promise);
    }
    return ends;
  }
}
