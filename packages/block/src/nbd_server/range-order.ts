/**
 * Keeps writes apart of which one reads blocks first, because it changes only a part of them. Such
 * a partial write waits for all writes before it that meet its blocks, and those behind it wait for
 * it. Whole writes do not wait for each other, and pay nothing while there are no partial ones.
 */

interface Range {
  readonly from: number;
  readonly to: number;
  readonly partial: boolean;
  readonly ended: Promise<void>;
}

export class RangeOrder {
  /** The ranges under way, in the order in which they came. */
  readonly #ranges = new Set<Range>();
  #partials = 0;

  /** Runs `action`, which writes blocks from `from` to before `to`, when it is its turn. */
  async run(from: number, to: number, partial: boolean, action: () => Promise<void>): Promise<void> {
    const before = partial || this.#partials > 0 ? this.#meeting(from, to, partial) : [];
    let end: () => void = () => {};
    const range = { from, to, partial, ended: new Promise<void>((resolve) => (end = resolve)) };
    this.#ranges.add(range);
    if (partial) this.#partials++;
    try {
      for (const { ended } of before) await ended;
      await action();
    } finally {
      this.#ranges.delete(range);
      if (partial) this.#partials--;
      end();
    }
  }

  #meeting(from: number, to: number, partial: boolean): Range[] {
    return [...this.#ranges].filter(
      (other) => (partial || other.partial) && other.from < to && from < other.to,
    );
  }
}
