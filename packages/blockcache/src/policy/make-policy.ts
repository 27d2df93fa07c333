import { unreachable } from '@ginit/core';
import { Lru } from './lru.ts';
import type { PolicyName, ReplacementPolicy } from './replacement-policy.ts';

/**
 * The policy of that name for a cache of `slots` chunks. `auto` is the best policy that we know:
 * for now LRU.
 */
export function makePolicy(name: PolicyName, slots: number): ReplacementPolicy {
  switch (name) {
    case 'auto':
    case 'lru':
      return new Lru(slots);
    default:
      return unreachable(name);
  }
}
