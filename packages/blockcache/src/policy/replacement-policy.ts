import type { ChunkNumbers } from '../directory/chunk-numbers.ts';
import type { SlotQueues } from '../directory/slot-queues.ts';

/**
 * Decides which chunk is removed when another one needs its place. A policy knows slots and the
 * numbers of the chunks in them, and is told of every use. It does not know the contents; the cache
 * decides whether a chunk may be removed now.
 */
export interface ReplacementPolicy {
  /** The chunk in `slot` was used. */
  hit(slot: number): void;
  /**
   * `chunk` is in `slot` from now on. Directly before, `evict` was called for it, or a slot was
   * free.
   */
  insert(slot: number, chunk: number): void;
  /** The slot is empty again although `evict` has not chosen it: its chunk was discarded. */
  remove(slot: number): void;
  /**
   * Chooses a slot for the chunk `incoming`, and forgets the chunk in it; -1 if none of the slots
   * that it tried may be emptied. It tries at most `EVICT_TRIES_MAX` slots, so that a cache full of
   * chunks that cannot be removed now costs no long walk.
   */
  evict(incoming: number, mayGo: (slot: number) => boolean): number;
  /** The chunk in slot `from` is in `to` now, which was empty. */
  move(from: number, to: number): void;
  /** Puts in a chunk that has been in the cache under another policy. The coldest come first. */
  adopt(slot: number): void;
  /**
   * Takes over the balance that the same policy has found in another directory, whose chunks are a
   * sample of those that were just adopted. Of a policy without a balance this is missing.
   */
  resemble?(other: ReplacementPolicy | undefined): void;
  /** Calls `visit` for all slots in use, roughly the one that goes first first. */
  each(visit: (slot: number) => void): void;
  /** The number of slots, and perhaps the arrays in `PolicyMemory`, have changed. */
  resized(): void;
  /** The bytes that it uses besides what is in `PolicyMemory`. */
  readonly byteLength: number;
  /** Misses of chunks that had been in the cache not long ago, of policies that remember these. */
  readonly ghostHits: number;
}

/** What all policies work with. `slots` of the arrays' places may be used. */
export interface PolicyMemory {
  readonly queues: SlotQueues;
  /** The chunk in each slot; the cache writes it. */
  readonly chunks: ChunkNumbers;
  readonly slots: number;
  /** The number of chunks of the device. */
  readonly chunkCount: number;
}

/** The number of slots that `evict` tries before it gives up. */
export const EVICT_TRIES_MAX = 64;

/** The policies themselves. */
export const FIXED_POLICY_NAMES = ['lru', 'arc', 's3fifo', 'sieve', 'w-tinylfu'] as const;
export type FixedPolicyName = (typeof FIXED_POLICY_NAMES)[number];

/** Names of policies, as configs use them. */
export const POLICY_NAMES = ['auto', ...FIXED_POLICY_NAMES] as const;
export type PolicyName = (typeof POLICY_NAMES)[number];

/**
 * The first slot from the end of a queue that may go; -1 if none of the `tries` last may. It is not
 * taken out.
 */
export function lastThatMayGo(
  queues: SlotQueues,
  queue: number,
  mayGo: (slot: number) => boolean,
  tries = EVICT_TRIES_MAX,
): number {
  let slot = queues.last(queue);
  for (let tried = 0; slot >= 0 && tried < tries; tried++) {
    if (mayGo(slot)) return slot;
    slot = queues.before(slot);
  }
  return -1;
}

/** Calls `visit` for the slots of a queue, the last one first. */
export function eachFromLast(queues: SlotQueues, queue: number, visit: (slot: number) => void): void {
  for (let slot = queues.last(queue); slot >= 0; ) {
    const before = queues.before(slot);
    visit(slot);
    slot = before;
  }
}
