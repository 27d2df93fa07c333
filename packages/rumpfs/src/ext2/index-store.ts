import type { Directory } from './directory.ts';

/** Bounds the memory of all directory indexes of a mount: the one used longest ago makes way for another. */
export class IndexStore {
  readonly seed: number;
  readonly #bytesMax: number;
  readonly #owners = new Set<Directory>();
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

  /** Room for `bytes` more of the owner's index, at the cost of other owners; false when there cannot be any. */
  grant(owner: Directory, bytes: number): boolean {
    while (this.#bytes + bytes > this.#bytesMax) {
      const victim = this.#oldestBut(owner);
      if (victim === undefined) return false;
      victim.dropIndex();
    }
    this.#bytes += bytes;
    this.#owners.add(owner);
    return true;
  }

  /** The owner has given up its index of `bytes`. */
  giveBack(owner: Directory, bytes: number): void {
    this.#bytes -= bytes;
    this.#owners.delete(owner);
  }

  #oldestBut(owner: Directory): Directory | undefined {
    let oldest: Directory | undefined;
    for (const candidate of this.#owners) {
      if (candidate === owner || !candidate.hasIndex) continue;
      if (oldest === undefined || candidate.indexUsed < oldest.indexUsed) oldest = candidate;
    }
    return oldest;
  }
}
