/** What is asked of an inode here, whichever format has it. */
export interface Leaver {
  readonly id: number;
  /** Sectors of 512 bytes that it has. */
  readonly sectors: number;
  /** Whether its last name is gone in memory, but perhaps not on the device. */
  lingering: boolean;
}

/** A node that has lost its last name. */
export interface Departure<Inode extends Leaver> {
  readonly inode: Inode;
  /** The time when its last user left; undefined while somebody has it open. */
  abandonedMs: number | undefined;
}

/**
 * Nodes whose last name is gone in memory, but perhaps not on the device. Until it is gone there,
 * they stay unchanged on the device. If an inode were freed before the name that leads to it, a
 * power failure between the two would leave a name that leads nowhere, even if the name is to lead
 * to something else by then. So their links are kept on the device. Only a node without a name
 * there is freed, or becomes an orphan while somebody has it open.
 */
export class Departures<Inode extends Leaver> {
  readonly #departures = new Map<number, Departure<Inode>>();

  get size(): number {
    return this.#departures.size;
  }

  has(id: number): boolean {
    return this.#departures.has(id);
  }

  add(inode: Inode): void {
    inode.lingering = true;
    this.#departures.set(inode.id, { inode, abandonedMs: undefined });
  }

  /**
   * Notes that the last user of a node has left. True if the node will be freed in time; false if
   * the caller must free it now.
   */
  abandon(inode: Inode, nowMs: number): boolean {
    const departure = this.#departures.get(inode.id);
    if (departure?.inode !== inode) return false;
    departure.abandonedMs = nowMs;
    return true;
  }

  /** The departures whose names are gone once everything that is dirty now is durable. */
  all(): readonly Departure<Inode>[] {
    return [...this.#departures.values()];
  }

  /** The names of a node are durably gone. */
  remove({ inode }: Departure<Inode>): void {
    inode.lingering = false;
    this.#departures.delete(inode.id);
  }

  /**
   * The nodes, and the blocks or fragments of `unitBytes`, that will be free before long, because
   * nobody uses them any more.
   */
  abandoned(unitBytes: number): { readonly nodes: number; readonly units: number } {
    let nodes = 0;
    let sectors = 0;
    for (const { inode, abandonedMs } of this.#departures.values()) {
      if (abandonedMs === undefined) continue;
      nodes += 1;
      sectors += inode.sectors;
    }
    return { nodes, units: Math.floor((sectors * 512) / unitBytes) };
  }
}
