import { setBit } from './cylinder-group.ts';

/**
 * Fragments that were freed, but not durably yet. After a power failure they still belong to their
 * former owner, so no other file may write to them. The group has them as free; the bitmaps here
 * say that they cannot be used yet. A sync takes what was freed before it began, and releases that
 * when everything is durable.
 */
export class PendingFrees {
  readonly #bitmapBytes: number;
  #waiting = new Map<number, Uint8Array>();
  #leaving = new Map<number, Uint8Array>();

  /** @param fragmentsPerGroup the number of bits for a group */
  constructor(fragmentsPerGroup: number) {
    this.#bitmapBytes = Math.ceil(fragmentsPerGroup / 8);
  }

  get any(): boolean {
    return this.#waiting.size + this.#leaving.size > 0;
  }

  /** The number of bitmaps. */
  get bitmaps(): number {
    return this.#waiting.size + this.#leaving.size;
  }

  /** Adds fragments of a group that were freed. What led to them has been changed by now. */
  add(group: number, from: number, count: number): void {
    const map = this.#waiting.get(group) ?? new Uint8Array(this.#bitmapBytes);
    for (let bit = from; bit < from + count; bit += 1) setBit(map, bit, true);
    this.#waiting.set(group, map);
  }

  /** Begins a sync, which makes the frees so far durable. */
  take(): void {
    for (const [group, map] of this.#waiting) {
      const known = this.#leaving.get(group);
      if (known === undefined) this.#leaving.set(group, map);
      else for (const [index, byte] of map.entries()) known[index] = (known[index] ?? 0) | byte;
    }
    this.#waiting = new Map();
  }

  /** Ends a sync successfully: what `take` took may be used again. */
  release(): void {
    this.#leaving = new Map();
  }

  /** The bitmap of free fragments without those that may not be used yet; to be read only. */
  usable(group: number, free: Uint8Array): Uint8Array {
    const maps = [this.#waiting.get(group), this.#leaving.get(group)].filter((map) => map !== undefined);
    if (maps.length === 0) return free;
    const usable = free.slice();
    for (const map of maps) {
      for (let index = 0; index < usable.length; index += 1)
        usable[index] = (usable[index] ?? 0) & ~(map[index] ?? 0);
    }
    return usable;
  }
}
