/** The disk in an image as a block device, for what works on blocks. */
import type { BlockInfo } from '@ginit/core/block';
import type { DeviceBelow } from '../lib/device-below.ts';
import type { DiskImage } from './disk-image.ts';

/** The device. A rest that is no whole block is left out. */
export class DiskDevice implements DeviceBelow {
  readonly #image: DiskImage;
  readonly #blockSize: number;

  constructor(image: DiskImage, blockSize: number) {
    this.#image = image;
    this.#blockSize = blockSize;
  }

  get info(): BlockInfo {
    return {
      blockSize: this.#blockSize,
      blockCount: Math.floor(this.#image.sizeBytes / this.#blockSize),
      alignLog2: 0,
      writeable: this.#image.writeable,
    };
  }

  read(block: number, _count: number, into: Uint8Array): Promise<void> {
    return this.#image.read(into, block * this.#blockSize);
  }

  write(block: number, _count: number, from: Uint8Array): Promise<void> {
    return this.#image.write(from, block * this.#blockSize);
  }

  sync(): Promise<void> {
    return this.#image.sync();
  }

  trim(block: number, count: number): Promise<void> {
    return this.#image.discard(block * this.#blockSize, count * this.#blockSize);
  }

  writeZeroes(block: number, count: number): Promise<void> {
    return this.#image.writeZeroes(block * this.#blockSize, count * this.#blockSize);
  }
}
