import { BlockBuffer } from './block-buffer.ts';

/**
 * Memory is taken in slabs of this many buffers, so that a small job takes little of the budget.
 */
const SLAB_BUFFERS = 32;

/** The memory of the buffer cache, which grows as buffers are needed. */
export class BufferSlabs {
  /** All buffers so far; the index of a buffer is its slot. */
  readonly buffers: BlockBuffer[] = [];
  readonly #blockSizeBytes: number;
  readonly #buffersMax: number;

  constructor(blockSizeBytes: number, buffersMax: number) {
    this.#blockSizeBytes = blockSizeBytes;
    this.#buffersMax = buffersMax;
  }

  /** Adds a slab. The result is its buffers; there are none if the budget is used up. */
  grow(): readonly BlockBuffer[] {
    const size = this.#blockSizeBytes;
    const before = this.buffers.length;
    const count = Math.min(SLAB_BUFFERS, this.#buffersMax - before);
    const slab = new Uint8Array(count * size);
    for (let index = 0; index < count; index += 1) {
      const bytes = slab.subarray(index * size, (index + 1) * size);
      this.buffers.push(new BlockBuffer(before + index, bytes));
    }
    return this.buffers.slice(before);
  }
}
