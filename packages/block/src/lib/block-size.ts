/** The attribute `block_size`, which all drivers of block devices have. */
import { attribute, type ConfigNode } from '@ginit/core/config';

const SMALLEST = 512;
const LARGEST = 65_536;

/** The attribute for the schema of a driver's config. */
export const BLOCK_SIZE_ATTRIBUTE = {
  block_size: attribute.bytes('Size of a block, a power of two', {
    min: SMALLEST,
    max: LARGEST,
    fallback: SMALLEST,
  }),
};

/**
 * Checks a block size that the schema accepts; the schema cannot express every condition. Throws
 * `ConfigError` if the size is impossible.
 */
export function checkBlockSize(config: { readonly block_size: number; readonly $node: ConfigNode }): void {
  const { block_size: blockSize, $node } = config;
  if (Number.isInteger(Math.log2(blockSize))) return;
  throw $node.errorAt(`block_size is ${blockSize}, which is no power of two`, 'block_size');
}

/**
 * The alignment that a driver wants in its clients' bulk buffers: payloads begin at a page, so that
 * the host takes them without a copy.
 */
export const PAYLOAD_ALIGN_LOG2 = 12;
