/** Clusters that belong to nothing any more. */
export interface Departure {
  readonly first: number;
  /** About how many there are. */
  readonly clusters: number;
  /** Of exFAT: whether they are in one piece, and `clusters` is their exact number. */
  readonly contiguous?: boolean;
}

/**
 * Chains that nothing in memory leads to any more, while on the device an entry may still do. Were
 * they freed at once, another file could get their clusters, and a power failure would leave both
 * with them. So they are freed once everything that was dirty is durable.
 */
export class Departures {
  #departures: Departure[] = [];
  #clusters = 0;

  get size(): number {
    return this.#departures.length;
  }

  /** About how many clusters will be free before long. */
  get clusters(): number {
    return this.#clusters;
  }

  add(departure: Departure): void {
    this.#departures.push(departure);
    this.#clusters += departure.clusters;
  }

  /** Takes out the chains to which nothing leads once everything that is dirty now is durable. */
  take(): readonly Departure[] {
    const taken = this.#departures;
    this.#departures = [];
    return taken;
  }

  /** Says that a chain that was taken out is free. */
  freed({ clusters }: Departure): void {
    this.#clusters -= clusters;
  }
}
