import { assert, at } from '../errors.ts';

const SLOTS_MIN = 64;
const BYTES_PER_SLOT = 8;
const EMPTY = 0;
const REMOVED = 1;
/** The values below this one mark empty and removed slots; positions are stored above them. */
const FIRST_POSITION = 2;

/**
 * Knows the place of each name of one directory: a hash table from the hash of a name to the
 * positions of the records that may have it, in about sixteen bytes an entry. A position is a
 * record's byte offset in the directory divided by four. Open addressing with linear probing; the
 * caller compares the names themselves.
 */
export class NameTable {
  #hashes = new Uint32Array(SLOTS_MIN);
  #positions = new Uint32Array(SLOTS_MIN);
  /** Slots that are not empty, removed ones included. */
  #used = 0;
  #live = 0;

  get bytes(): number {
    return this.#positions.length * BYTES_PER_SLOT;
  }

  /** The bytes that the table would have with one more entry. */
  get bytesWithOneMore(): number {
    return this.#full ? this.#capacityWanted * BYTES_PER_SLOT : this.bytes;
  }

  add(hash: number, position: number): void {
    if (this.#full) this.#resize(this.#capacityWanted);
    const mask = this.#positions.length - 1;
    let slot = hash & mask;
    while (at(this.#positions, slot) > REMOVED) slot = (slot + 1) & mask;
    if (this.#positions[slot] === EMPTY) this.#used += 1;
    this.#hashes[slot] = hash;
    this.#positions[slot] = position + FIRST_POSITION;
    this.#live += 1;
  }

  remove(hash: number, position: number): void {
    const mask = this.#positions.length - 1;
    for (let slot = hash & mask; this.#positions[slot] !== EMPTY; slot = (slot + 1) & mask) {
      if (this.#hashes[slot] !== hash || this.#positions[slot] !== position + FIRST_POSITION) continue;
      this.#positions[slot] = REMOVED;
      this.#live -= 1;
      return;
    }
  }

  /**
   * The first position for the hash in slot `from` or later; continue with `cursor`. -1 at the end.
   */
  find(hash: number, cursor: TableCursor): number {
    const mask = this.#positions.length - 1;
    for (; cursor.probes <= mask; ) {
      const slot = (hash + cursor.probes) & mask;
      cursor.probes += 1;
      const stored = at(this.#positions, slot);
      if (stored === EMPTY) break;
      if (stored !== REMOVED && this.#hashes[slot] === hash) return stored - FIRST_POSITION;
    }
    return -1;
  }

  get #full(): boolean {
    return (this.#used + 1) * 3 > this.#positions.length * 2;
  }

  /** Twice the size; or the same size again when the table is full of removed entries. */
  get #capacityWanted(): number {
    return (this.#live + 1) * 3 > this.#positions.length
      ? this.#positions.length * 2
      : this.#positions.length;
  }

  #resize(capacity: number): void {
    const hashes = this.#hashes;
    const positions = this.#positions;
    this.#hashes = new Uint32Array(capacity);
    this.#positions = new Uint32Array(capacity);
    this.#used = 0;
    this.#live = 0;
    for (let slot = 0; slot < positions.length; slot += 1) {
      const stored = at(positions, slot);
      if (stored > REMOVED) this.add(at(hashes, slot), stored - FIRST_POSITION);
    }
    assert(!this.#full, 'a resized table has room');
  }
}

/** The progress of a search. */
export interface TableCursor {
  probes: number;
}

/** A hash of a name. The seed keeps the author of an image from choosing names that collide. */
export function hashName(bytes: Uint8Array, from: number, end: number, seed: number): number {
  let hash = seed | 0;
  for (let index = from; index < end; index += 1) {
    hash = Math.imul(hash ^ at(bytes, index), 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash, 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}
