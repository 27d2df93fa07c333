import { ChunkIndex } from '../src/chunk-index.ts';
import type { ReplacementPolicy } from '../src/policy/replacement-policy.ts';

/**
 * Runs a policy over a trace of chunk numbers, as the cache would, and returns the number of hits.
 */
export function hitsOf(policy: ReplacementPolicy, slots: number, trace: Iterable<number>): number {
  const chunks = new Float64Array(slots).fill(-1);
  const index = new ChunkIndex(chunks);
  let used = 0;
  let hits = 0;
  for (const chunk of trace) {
    const found = index.find(chunk);
    if (found >= 0) {
      hits++;
      policy.hit(found);
      continue;
    }
    let slot = used;
    if (used < slots) used++;
    else {
      slot = policy.evict(chunk, () => true);
      index.remove(slot);
    }
    chunks[slot] = chunk;
    index.add(slot);
    policy.insert(slot, chunk);
  }
  return hits;
}
