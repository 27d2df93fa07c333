/**
 * Decides which chunk is removed when another one needs its place. A policy knows slots and the
 * numbers of the chunks in them, and is told of every use. It does not know the contents; the cache
 * decides whether a chunk may be removed now.
 */
export interface ReplacementPolicy {
  /** The chunk in `slot` was used. */
  hit(slot: number): void;
  /** `chunk` is in `slot` from now on. */
  insert(slot: number, chunk: number): void;
  /** The slot is empty again although `evict` has not chosen it: its chunk was discarded. */
  remove(slot: number): void;
  /**
   * Chooses a slot for the chunk `incoming`, and forgets the chunk in it; -1 if none of the slots
   * that it tried may be emptied. It tries at most `EVICT_TRIES_MAX` slots, so that a cache full of
   * chunks that cannot be removed now costs no long walk.
   */
  evict(incoming: number, mayGo: (slot: number) => boolean): number;
}

/** The number of slots that `evict` tries before it gives up. */
export const EVICT_TRIES_MAX = 64;

/** Names of policies, as configs use them. */
export const POLICY_NAMES = ['auto', 'lru'] as const;
export type PolicyName = (typeof POLICY_NAMES)[number];
