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

/** The attribute `tx_buf_size` of a component that has sessions of its own. */
export function bufferAttribute(meaning: string) {
  return {
    tx_buf_size: attribute.bytes(meaning, {
      fallback: 1024 * 1024,
      min: 64 * 1024,
      max: 64 * 1024 * 1024,
    }),
  };
}

/**
 * Checks a block size that the schema accepts; the schema cannot express every condition. Throws
 * `ConfigError` if the size is impossible.
 */
export function checkBlockSize(config: { readonly block_size: number; readonly $node: ConfigNode }): void {
  const { block_size: blockSize, $node } = config;
  if (Number.isInteger(Math.log2(blockSize))) return;
  throw $node.errorAt(`block_size is ${blockSize}, which is no power of two`, 'block_size');
}

/** What there is in blocks of something that has a length in bytes. */
export interface WholeBlocks {
  readonly count: number;
  /** Why it cannot be a device: it is less than a block. */
  readonly problem: string | undefined;
  /** What is left out: bytes behind the last whole block. */
  readonly warning: string | undefined;
}

/** Counts the whole blocks. `holder` begins the texts, with its verb: `file "a" has`. */
export function wholeBlocks(holder: string, sizeBytes: number, blockSize: number): WholeBlocks {
  const count = Math.floor(sizeBytes / blockSize);
  const tailBytes = sizeBytes - count * blockSize;
  const has = `${holder} ${sizeBytes} bytes`;
  return {
    count,
    problem: count === 0 ? `${has}, which is less than a block of ${blockSize}` : undefined,
    warning:
      count > 0 && tailBytes > 0
        ? `${has}: the last ${tailBytes} are no whole block of ${blockSize} and left out`
        : undefined,
  };
}

/**
 * The alignment that a driver wants in its clients' bulk buffers: payloads begin at a page, so that
 * the host takes them without a copy.
 */
export const PAYLOAD_ALIGN_LOG2 = 12;
