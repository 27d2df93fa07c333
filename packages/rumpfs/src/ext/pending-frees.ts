import { nextClear, nextSet, setBits } from './bitmap.ts';

/**
 * Blocks that were freed, but not durably yet. After a power failure they still belong to their
 * former owner, so no other file may write to them. The file system's own bitmaps have them as
 * free; the bitmaps here say that they cannot be used yet. A sync takes the blocks that were freed
 * before it began, and releases them when everything is durable.
 */
export class PendingFrees {
  readonly #bitmapBytes: number;
  /** The blocks that were freed since the last sync began, by group. */
  #waiting = new Map<number, DataView>();
  /** The blocks that the sync which runs now, or has failed, makes durable, by group. */
  #leaving = new Map<number, DataView>();

  /** @param blocksPerGroup the number of bits for a group */
  constructor(blocksPerGroup: number) {
    // Searches read whole words.
    this.#bitmapBytes = Math.ceil(blocksPerGroup / 32) * 4;
  }

  get any(): boolean {
    return this.#waiting.size + this.#leaving.size > 0;
  }

  /** The number of bitmaps. */
  get bitmaps(): number {
    return this.#waiting.size + this.#leaving.size;
  }

  /**
   * Adds blocks of a group that were freed. Everything that leads to them has been changed in the
   * cache by now.
   */
  add(group: number, from: number, count: number): void {
    const view = this.#waiting.get(group) ?? new DataView(new ArrayBuffer(this.#bitmapBytes));
    setBits(new Uint8Array(view.buffer), from, count);
    this.#waiting.set(group, view);
  }

  /** Begins a sync, which makes the blocks that were freed so far durable. */
  take(): void {
    for (const [group, view] of this.#waiting) {
      const known = this.#leaving.get(group);
      if (known !== undefined) merge(known, view);
      else this.#leaving.set(group, view);
    }
    this.#waiting = new Map();
  }

  /** Ends a sync successfully: the blocks that `take` took may be used again. */
  release(): void {
    this.#leaving = new Map();
  }

  /**
   * The first bit from `from` on that is clear in the group's bitmap and may be used; `limit` if
   * there is none.
   */
  nextUsable(bitmap: DataView, group: number, from: number, limit: number): number {
    for (let bit = from; ; ) {
      const free = nextClear(bitmap, bit, limit);
      bit = free;
      for (const view of this.#of(group)) bit = nextClear(view, bit, limit);
      if (bit === free) return bit;
    }
  }

  /** The first bit from `from` on that is set or may not be used; `limit` if there is none. */
  nextUnusable(bitmap: DataView, group: number, from: number, limit: number): number {
    let bit = nextSet(bitmap, from, limit);
    for (const view of this.#of(group)) bit = nextSet(view, from, bit);
    return bit;
  }

  #of(group: number): DataView[] {
    return [this.#waiting.get(group), this.#leaving.get(group)].filter((view) => view !== undefined);
  }
}

function merge(into: DataView, from: DataView): void {
  const bytes = new Uint8Array(into.buffer);
  for (const [index, byte] of new Uint8Array(from.buffer).entries())
    bytes[index] = (bytes[index] ?? 0) | byte;
}
