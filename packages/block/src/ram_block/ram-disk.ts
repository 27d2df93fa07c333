/** A block device that is one dataspace: every request is a copy, done at once. */
import { type Env } from '@ginit/core';
import { copyApart } from '@ginit/core/packet-stream';
import { attribute, element } from '@ginit/core/config';
import { type BlockBackend, type BlockInfo, BLOCK_POLICY_ELEMENTS } from '@ginit/core/block';
import { BLOCK_SIZE_ATTRIBUTE, PAYLOAD_ALIGN_LOG2, checkBlockSize } from '../lib/block-size.ts';

/** The config of `ram_block`. */
export const RAM_BLOCK_CONFIG = element('config', 'A block device in memory, zeroed at the start', {
  attributes: {
    size: attribute.bytes('Size of the device, a multiple of the block size', { required: true, min: 512 }),
    ...BLOCK_SIZE_ATTRIBUTE,
  },
  children: BLOCK_POLICY_ELEMENTS,
});

/** The device. */
export class RamDisk implements BlockBackend {
  readonly info: BlockInfo;
  readonly #memory: Uint8Array;

  /** Makes the device that the config describes, of memory charged to the component's RAM quota. */
  static async create(env: Pick<Env, 'config' | 'ram'>): Promise<RamDisk> {
    const config = env.config.read(RAM_BLOCK_CONFIG);
    checkBlockSize(config);
    const { size: sizeBytes, block_size: blockSize } = config;
    if (sizeBytes % blockSize !== 0) {
      throw config.$node.errorAt(
        `size is ${sizeBytes} bytes, which is no multiple of the block size ${blockSize}`,
        'size',
      );
    }
    const memory = await env.ram.allocate(sizeBytes);
    return new RamDisk(memory.attach(), blockSize);
  }

  constructor(memory: Uint8Array, blockSize: number) {
    this.#memory = memory;
    this.info = {
      blockSize,
      blockCount: memory.byteLength / blockSize,
      alignLog2: PAYLOAD_ALIGN_LOG2,
      writeable: true,
    };
  }

  read(block: number, count: number, into: Uint8Array): void {
    copyApart(into, this.#range(block, count));
  }

  write(block: number, count: number, from: Uint8Array): void {
    copyApart(this.#range(block, count), from);
  }

  /** There is nothing more stable than the memory, so a sync does nothing. */
  sync(): void {}

  trim(block: number, count: number): void {
    this.writeZeroes(block, count);
  }

  writeZeroes(block: number, count: number): void {
    this.#range(block, count).fill(0);
  }

  #range(block: number, count: number): Uint8Array {
    const { blockSize } = this.info;
    return this.#memory.subarray(block * blockSize, (block + count) * blockSize);
  }
}
