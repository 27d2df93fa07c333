/** The attribute `block_size`, which the drivers of block devices have in common. */
import { attribute, type ConfigNode } from '@ginit/core';

const SMALLEST = 512;
const LARGEST = 65_536;

/** For the schema of a driver's config. */
export const BLOCK_SIZE_ATTRIBUTE = {
  block_size: attribute.bytes('Size of a block, a power of two', {
    min: SMALLEST,
    max: LARGEST,
    fallback: SMALLEST,
  }),
};

/** Throws `ConfigError` if the block size that a config asks for is none: its schema cannot say all that it must be. */
export function checkBlockSize(config: { readonly block_size: number; readonly $node: ConfigNode }): void {
  const { block_size: blockSize, $node } = config;
  if (Number.isInteger(Math.log2(blockSize))) return;
  throw $node.errorAt(`block_size is ${blockSize}, which is no power of two`, 'block_size');
}

/** What a driver wants of its clients' bulk buffers: payloads that begin at a page, so that the host takes them as they are. */
export const PAYLOAD_ALIGN_LOG2 = 12;
