import { ChunkIndex } from '../directory/chunk-index.ts';
import { type ChunkNumbers, chunkNumbers } from '../directory/chunk-numbers.ts';
import { SlotQueues } from '../directory/slot-queues.ts';
import type { PolicyMemory, ReplacementPolicy } from './replacement-policy.ts';

const ALWAYS = (): boolean => true;

/** The directory of a cache without the cache: it tells what a policy would have hit. */
export class Shadow implements PolicyMemory {
  readonly slots: number;
  readonly chunkCount: number;
  readonly queues: SlotQueues;
  readonly chunks: ChunkNumbers;
  readonly policy: ReplacementPolicy;
  readonly #index: ChunkIndex;
  #used = 0;

  constructor(make: (memory: PolicyMemory) => ReplacementPolicy, slots: number, chunkCount: number) {
    this.slots = slots;
    this.chunkCount = chunkCount;
    this.queues = new SlotQueues(slots);
    this.chunks = chunkNumbers(slots, chunkCount);
    this.#index = new ChunkIndex(this.chunks);
    this.policy = make(this);
  }

  get byteLength(): number {
    return this.queues.byteLength + this.chunks.byteLength + this.#index.byteLength + this.policy.byteLength;
  }

  /** A chunk is used. Whether it was there; it is now. */
  use(chunk: number): boolean {
    const found = this.#index.find(chunk);
    if (found >= 0) {
      this.policy.hit(found);
      return true;
    }
    let slot = this.#used;
    if (slot < this.slots) this.#used++;
    else {
      slot = this.policy.evict(chunk, ALWAYS);
      this.#index.remove(slot);
    }
    this.chunks[slot] = chunk;
    this.#index.add(slot);
    this.policy.insert(slot, chunk);
    return false;
  }
}
