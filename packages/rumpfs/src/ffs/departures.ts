import type { Inode } from './inode.ts';

/** A node that has lost its last name. */
export interface Departure {
  readonly inode: Inode;
  /** The time when its last user left; undefined while somebody has it open. */
  abandonedMs: number | undefined;
}

/**
 * Nodes whose last name is gone in memory, but perhaps not on the device. Until it is gone there
 * they stay as they are on the device, with their links: else a power failure could leave a name
 * that leads to nothing, or to something else.
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
  all(): readonly Departure[] {
    return [...this.#departures.values()];
  }

  /** The names of a node are durably gone. */
  remove({ inode }: Departure): void {
    inode.lingering = false;
    this.#departures.delete(inode.id);
  }

  /** What will be free before long, because nobody uses it any more. */
  abandoned(fragmentSizeBytes: number): { readonly nodes: number; readonly fragments: number } {
    let nodes = 0;
    let sectors = 0;
    for (const { inode, abandonedMs } of this.#departures.values()) {
      if (abandonedMs === undefined) continue;
      nodes += 1;
      sectors += inode.sectors;
    }
    return { nodes, fragments: Math.floor((sectors * 512) / fragmentSizeBytes) };
  }
}
