/** The most that is read for the sake of one block, as much as Linux reads of a table of inodes. */
const WINDOW_BYTES = 128 * 1024;
/** The largest part of the cache that this takes. */
const CACHE_PART = 32;

/** What this needs of the cache. */
export interface AheadCache {
  readonly blockSizeBytes: number;
  readonly buffersMax: number;
  involves(block: number): boolean;
  prefetch(first: number, count: number): void;
}

/**
 * Starts the read of a block together with its neighbours, where it is not in memory: of structures
 * that lie side by side, such as the inodes of a group, the next are wanted soon, and one request
 * costs as much as thirty. Blocks before `first` and from `end` on are left alone. The caller then
 * reads the block as usual.
 */
export function readAround(cache: AheadCache, block: number, first: number, end: number): void {
  if (cache.involves(block)) return;
  const most = Math.min(WINDOW_BYTES / cache.blockSizeBytes, cache.buffersMax / CACHE_PART);
  const window = Math.floor(most);
  if (window < 2) return;
  const start = Math.max(first, block - ((block - first) % window));
  cache.prefetch(start, Math.min(end, start + window) - start);
}
