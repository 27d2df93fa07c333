/** Divides the blocks of a device into chunks, the units in which the cache keeps them. */
import { assert } from '@ginit/core';

export const CHUNK_BYTES = 4096;

/**
 * Block and chunk arithmetic of one device. Sets of a chunk's blocks are bit masks, the first block
 * being bit 0.
 */
export class Geometry {
  readonly blockSize: number;
  readonly blockCount: number;
  readonly blocksPerChunk: number;
  /** The number of chunks of the device; the last one may be shorter than the others. */
  readonly chunkCount: number;

  /** The block size divides a chunk. */
  constructor(blockSize: number, blockCount: number) {
    assert(CHUNK_BYTES % blockSize === 0, 'whole blocks make a chunk');
    this.blockSize = blockSize;
    this.blockCount = blockCount;
    this.blocksPerChunk = CHUNK_BYTES / blockSize;
    this.chunkCount = Math.ceil(blockCount / this.blocksPerChunk);
  }

  chunkOf(block: number): number {
    return Math.floor(block / this.blocksPerChunk);
  }

  firstBlock(chunk: number): number {
    return chunk * this.blocksPerChunk;
  }

  /** The number of blocks of a chunk: fewer than `blocksPerChunk` at the end of the device. */
  blocksOf(chunk: number): number {
    return Math.min(this.blocksPerChunk, this.blockCount - this.firstBlock(chunk));
  }

  /** The set of all blocks of a chunk. */
  wholeMask(chunk: number): number {
    return mask(0, this.blocksOf(chunk));
  }
}

/** The set of `count` blocks from `first` on. */
export function mask(first: number, count: number): number {
  return ((1 << count) - 1) << first;
}

/** The first block of a set that is not empty. */
export function lowest(set: number): number {
  return 31 - Math.clz32(set & -set);
}

/** The last block of a set that is not empty. */
export function highest(set: number): number {
  return 31 - Math.clz32(set);
}

/** Calls `each` for every run of neighbours in a set. */
export function eachRun(set: number, each: (first: number, count: number) => void): void {
  let rest = set;
  while (rest !== 0) {
    const first = lowest(rest);
    const count = lowest(~(rest >>> first));
    each(first, count);
    rest &= ~mask(first, count);
  }
}
