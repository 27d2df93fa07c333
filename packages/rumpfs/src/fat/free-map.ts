/** What says which clusters of a volume are free: the FAT itself, or the bitmap of exFAT. */
export interface FreeMap {
  /**
   * The first free cluster from `from` on, as far as one block of the map tells: 0 if it tells of
   * none up to `searchedTo`, negative if that block is not in memory.
   */
  findFree(from: number): { readonly cluster: number; readonly searchedTo: number };
  /**
   * Takes clusters from a free one on, within this turn; the result is their number, which is 0
   * where a part of the map is not in memory.
   */
  take(first: number, countMax: number): number;
  /** Reads the part that was missing. Rejects with `InputOutput`. */
  readMissing(): Promise<void>;
}
