/** The number of clusters that are kept. */
const CLUSTERS_MAX = 4;

/** The compressed clusters that were read last, unpacked: who reads on wants the same one again. */
export class UnpackedClusters {
  readonly #clusters = new Map<number, Promise<Uint8Array>>();

  /** The cluster at a place of the file, by `unpack` if it is not here. */
  get(at: number, unpack: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const known = this.#clusters.get(at);
    if (known) return known;
    const unpacking = unpack();
    this.#clusters.set(at, unpacking);
    unpacking.catch(() => this.#clusters.delete(at));
    for (const oldest of this.#clusters.keys()) {
      if (this.#clusters.size <= CLUSTERS_MAX) break;
      this.#clusters.delete(oldest);
    }
    return unpacking;
  }

  /** Forgets them all. */
  clear(): void {
    this.#clusters.clear();
  }
}
