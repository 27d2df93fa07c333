import type { Inode } from './inode.ts';

const OWNERS_MAX = 64;

/**
 * Blocks behind the end of growing files that others leave alone, so that files which grow side by side in
 * small pieces still come to lie in one piece each. They exist in memory only: nothing on the device says so,
 * and when space gets short they are ignored.
 */
export class Reservations {
  /** Round robin: the newest takes the place of the oldest. */
  readonly #owners: (Inode | undefined)[] = [];
  #turn = 0;

  /** Keeps `count` blocks from `first` on for `inode` instead of what it had. */
  reserve(inode: Inode, first: number, count: number): void {
    inode.reservedFirst = first;
    inode.reservedEnd = first + count;
    if (this.#owners[inode.reservationSlot] === inode) return;
    const displaced = this.#owners[this.#turn];
    if (displaced !== undefined) displaced.reservedEnd = 0;
    this.#owners[this.#turn] = inode;
    inode.reservationSlot = this.#turn;
    this.#turn = (this.#turn + 1) % OWNERS_MAX;
  }

  release(inode: Inode): void {
    inode.reservedEnd = 0;
    inode.reservedWindow = 0;
    if (this.#owners[inode.reservationSlot] === inode) this.#owners[inode.reservationSlot] = undefined;
  }

  /** The first block at or behind `block` that nobody but `inode` has reserved. */
  skip(inode: Inode, block: number): number {
    let free = block;
    for (let again = true; again; ) {
      again = false;
      for (const owner of this.#owners) {
        if (owner === undefined || owner === inode) continue;
        if (owner.reservedFirst > free || owner.reservedEnd <= free) continue;
        free = owner.reservedEnd;
        again = true;
      }
    }
    return free;
  }

  /** The end of what is free of others' reservations from `block` on, at most `end`. */
  limit(inode: Inode, block: number, end: number): number {
    let limit = end;
    for (const owner of this.#owners) {
      if (owner === undefined || owner === inode || owner.reservedEnd === 0) continue;
      if (owner.reservedFirst >= block && owner.reservedFirst < limit) limit = owner.reservedFirst;
    }
    return limit;
  }
}
