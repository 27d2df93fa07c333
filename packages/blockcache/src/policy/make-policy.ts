import { unreachable } from '@ginit/core';
import { Arc } from './arc.ts';
import { Auto } from './auto.ts';
import { Lru } from './lru.ts';
import type { FixedPolicyName, PolicyMemory, PolicyName, ReplacementPolicy } from './replacement-policy.ts';
import { S3Fifo } from './s3fifo.ts';
import { Sieve } from './sieve.ts';
import { WTinyLfu } from './w-tinylfu.ts';

/** The policy of that name. */
export function makePolicy(name: PolicyName, memory: PolicyMemory): ReplacementPolicy {
  return name === 'auto' ? new Auto(memory, makeFixed) : makeFixed(name, memory);
}

function makeFixed(name: FixedPolicyName, memory: PolicyMemory): ReplacementPolicy {
  switch (name) {
    case 'lru':
      return new Lru(memory);
    case 'arc':
      return new Arc(memory);
    case 's3fifo':
      return new S3Fifo(memory);
    case 'sieve':
      return new Sieve(memory);
    case 'w-tinylfu':
      return new WTinyLfu(memory);
    default:
      return unreachable(name);
  }
}
