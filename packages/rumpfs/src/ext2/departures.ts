import type { Inode } from './inode.ts';

/** A node that has lost its last name. */
export interface Departure {
  readonly inode: Inode;
  /** When its last user left; undefined while somebody has it open. */
  abandonedMs: number | undefined;
}

/**
 * Nodes whose last name is gone in memory, but perhaps not on the device. There they stay what they were until it is: if
 * an inode were freed before the name that leads to it, a power failure between the two would leave a name that leads
 * nowhere, even where it is to lead to something else by then. So their links are kept on the device, and only what has
 * no name there any more is freed, or becomes an orphan while somebody has it open.
 */
export class Departures {
  readonly #departures = new Map<number, Departure>();

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

  /** The last user of a node has left: true if the node is freed in time, false if that is the caller's to do now. */
  abandon(inode: Inode, nowMs: number): boolean {
    const departure = this.#departures.get(inode.id);
    if (departure?.inode !== inode) return false;
    departure.abandonedMs = nowMs;
    return true;
  }

  /** Those whose names are gone once what is dirty now is durable. */
  all(): readonly Departure[] {
    return [...this.#departures.values()];
  }

  /** The names of a node are durably gone. */
  remove({ inode }: Departure): void {
    inode.lingering = false;
    this.#departures.delete(inode.id);
  }

  /** What will be free before long: nobody uses it any more. */
  abandoned(blockSizeBytes: number): { readonly nodes: number; readonly blocks: number } {
    let nodes = 0;
    let sectors = 0;
    for (const { inode, abandonedMs } of this.#departures.values()) {
      if (abandonedMs === undefined) continue;
      nodes += 1;
      sectors += inode.sectors;
    }
    return { nodes, blocks: Math.floor((sectors * 512) / blockSizeBytes) };
  }
}
