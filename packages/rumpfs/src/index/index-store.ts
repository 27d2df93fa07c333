/** An index whose memory is counted. */
export interface IndexOwner {
  /** Whether this index may be given up for another one now. */
  readonly droppable: boolean;
  /** The time of its last use, in ticks of the store. */
  readonly usedAt: number;
  /** Gives up its memory and reports that with `giveBack`. */
  drop(): void;
}

/**
 * Bounds the memory of all directory indexes of a mount: the one used longest ago makes way for
 * another.
 */
export class IndexStore {
  readonly seed: number;
  readonly #bytesMax: number;
  readonly #owners = new Set<IndexOwner>();
  #bytes = 0;
  #clock = 0;

  constructor(bytesMax: number, seed: number) {
    this.#bytesMax = bytesMax;
    this.seed = seed;
  }

  /** A number that grows with every use. */
  tick(): number {
    this.#clock += 1;
    return this.#clock;
  }

  /**
   * Grants `bytes` more for the owner's index, at the cost of other owners. False when that is
   * impossible.
   */
  grant(owner: IndexOwner, bytes: number): boolean {
    while (this.#bytes + bytes > this.#bytesMax) {
      const victim = this.#oldestBut(owner);
      if (victim === undefined) return false;
      victim.drop();
    }
    this.#bytes += bytes;
    this.#owners.add(owner);
    return true;
  }

  /** The owner has given up its index of `bytes`. */
  giveBack(owner: IndexOwner, bytes: number): void {
    this.#bytes -= bytes;
    this.#owners.delete(owner);
  }

  #oldestBut(owner: IndexOwner): IndexOwner | undefined {
    let oldest: IndexOwner | undefined;
    for (const candidate of this.#owners) {
      if (candidate === owner || !candidate.droppable) continue;
      if (oldest === undefined || candidate.usedAt < oldest.usedAt) oldest = candidate;
    }
    return oldest;
  }
}
