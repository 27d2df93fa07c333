import { nextClear, nextSet, setBits } from './bitmap.ts';

/**
 * Blocks that were freed, but not durably yet: after a power failure they still belong to whom they belonged to, so
 * nobody else may write to them. The bitmaps on the device have them as free, these ones say that they are not to be had.
 * A sync takes what was freed before it began, and releases that when all of it is durable.
 */
export class PendingFrees {
  readonly #bitmapBytes: number;
  /** By group: what was freed since the last sync began. */
  #waiting = new Map<number, DataView>();
  /** By group: what the sync that runs now, or has failed, makes durable. */
  #leaving = new Map<number, DataView>();

  /** @param blocksPerGroup how many bits there are in a group */
  constructor(blocksPerGroup: number) {
    // Searches look at words.
    this.#bitmapBytes = Math.ceil(blocksPerGroup / 32) * 4;
  }

  get any(): boolean {
    return this.#waiting.size + this.#leaving.size > 0;
  }

  /** How many bitmaps there are. */
  get bitmaps(): number {
    return this.#waiting.size + this.#leaving.size;
  }

  /** Blocks of a group were freed; what leads to them is changed in the cache by now. */
  add(group: number, from: number, count: number): void {
    const view = this.#waiting.get(group) ?? new DataView(new ArrayBuffer(this.#bitmapBytes));
    setBits(new Uint8Array(view.buffer), from, count);
    this.#waiting.set(group, view);
  }

  /** A sync begins: it makes what was freed so far durable. */
  take(): void {
    for (const [group, view] of this.#waiting) {
      const known = this.#leaving.get(group);
      if (known !== undefined) merge(known, view);
      else this.#leaving.set(group, view);
    }
    this.#waiting = new Map();
  }

  /** What `take` took is durable: it may be used again. */
  release(): void {
    this.#leaving = new Map();
  }

  /** The first bit from `from` on that the group's bitmap has as clear and that may be used; `limit` if there is none. */
  nextUsable(bitmap: DataView, group: number, from: number, limit: number): number {
    for (let bit = from; ; ) {
      const free = nextClear(bitmap, bit, limit);
      bit = free;
      for (const view of this.#of(group)) bit = nextClear(view, bit, limit);
      if (bit === free) return bit;
    }
  }

  /** The first bit from `from` on that is set, or that may not be used; `limit` if there is none. */
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
