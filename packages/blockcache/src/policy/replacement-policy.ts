/**
 * Which chunk has to go when another one needs its place. A policy knows slots, and the numbers of the chunks in them, and
 * is told of every use; what is in them, and whether it may be given up now, is the cache's business.
 */
export interface ReplacementPolicy {
  /** The chunk in `slot` was used. */
  hit(slot: number): void;
  /** `chunk` is in `slot` from now on. */
  insert(slot: number, chunk: number): void;
  /** The slot is empty again without having been chosen by `evict`: its chunk was discarded. */
  remove(slot: number): void;
  /**
   * Chooses a slot for the chunk `incoming`, and forgets what is in it; -1 if none of those looked at may go. At most
   * `EVICT_TRIES_MAX` are asked for, so that a cache full of what cannot go now costs no long walk.
   */
  evict(incoming: number, mayGo: (slot: number) => boolean): number;
}

/** Slots that `evict` asks for before it gives up. */
export const EVICT_TRIES_MAX = 64;

/** Names of policies, as configs use them. */
export const POLICY_NAMES = ['auto', 'lru'] as const;
export type PolicyName = (typeof POLICY_NAMES)[number];
