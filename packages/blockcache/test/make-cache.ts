import { BlockCache, type WriteMode } from '../src/block-cache.ts';
import type { BackendDevice } from '../src/backend-device.ts';
import { ChunkStore } from '../src/chunk-store.ts';
import { CHUNK_BYTES, Geometry } from '../src/geometry.ts';
import type { PolicyName } from '../src/policy/replacement-policy.ts';

export interface CacheOptions {
  readonly slots: number;
  readonly mode?: WriteMode;
  readonly policy?: PolicyName;
}

/** A cache over a device, with memory for so many chunks in one piece. */
export function makeCache(device: BackendDevice, options: CacheOptions): BlockCache {
  const { slots, mode = 'write-back', policy = 'lru' } = options;
  const { blockSize, blockCount } = device.info;
  const store = new ChunkStore(new Geometry(blockSize, blockCount), policy, slots);
  store.add(new Uint8Array(slots * CHUNK_BYTES));
  return new BlockCache({ device, store, mode });
}
