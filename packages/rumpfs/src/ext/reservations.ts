import type { Inode } from './inode.ts';

const OWNERS_MAX = 64;

/**
 * Reserved blocks behind the end of growing files, which other files leave alone. So files that
 * grow side by side in small pieces still lie in one piece each. Reservations exist in memory only:
 * nothing on the device shows them, and when space gets short they are ignored.
 */
export class Reservations {
  /** The owners, in round robin: the newest takes the place of the oldest. */
  readonly #owners: (Inode | undefined)[] = [];
  #turn = 0;

  /** Reserves `count` blocks from `first` on for `inode`, in place of its former reservation. */
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

  /** The end of the blocks from `block` on that are not reserved by others, at most `end`. */
  limit(inode: Inode, block: number, end: number): number {
    let limit = end;
    for (const owner of this.#owners) {
      if (owner === undefined || owner === inode || owner.reservedEnd === 0) continue;
      if (owner.reservedFirst >= block && owner.reservedFirst < limit) limit = owner.reservedFirst;
    }
    return limit;
  }
}
