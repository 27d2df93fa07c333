/** The attribute `block_size`, which the drivers of block devices have in common. */
import { attribute, type ConfigNode } from '@ginit/core';

const SMALLEST = 512;
const LARGEST = 65_536;

/** For the schema of a driver's config. */
export const blockSizeAttribute = {
  block_size: attribute.bytes('Bytes of a block, a power of two', {
    min: SMALLEST,
    max: LARGEST,
    fallback: '512',
  }),
};

/** The block size that a config asks for. Throws `ConfigError`. */
export function readBlockSize(config: ConfigNode): number {
  const blockSize = config.bytes('block_size', SMALLEST, { min: SMALLEST, max: LARGEST });
  if (Number.isInteger(Math.log2(blockSize))) return blockSize;
  throw config.errorAt(`block_size is ${blockSize}, which is no power of two`, 'block_size');
}

/** What a driver wants of its clients' bulk buffers: payloads that begin at a page, so that the host takes them as they are. */
export const PAYLOAD_ALIGN_LOG2 = 12;
