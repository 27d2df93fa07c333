/** The disk in an image, for a machine: what a Block session is for its other disks. */
import { type DiskImage, ImageError } from '@ginit/block/image';
import { blockError, type BlockInfo } from '@ginit/core/block';

const BLOCK_BYTES = 512;
/** The largest request. */
const REQUEST_BYTES = 1024 * 1024;

/** The disk. A rest that is no whole block is left out. */
export class ImageDisk {
  readonly info: BlockInfo;
  readonly requestBlocksMax = REQUEST_BYTES / BLOCK_BYTES;
  readonly #image: DiskImage;

  constructor(image: DiskImage) {
    this.#image = image;
    const blockCount = Math.floor(image.sizeBytes / BLOCK_BYTES);
    this.info = { blockSize: BLOCK_BYTES, blockCount, alignLog2: 0, writeable: image.writeable };
  }

  read(block: number, _count: number, into: Uint8Array): Promise<void> {
    return asBlockError(this.#image.read(into, block * BLOCK_BYTES));
  }

  write(block: number, _count: number, from: Uint8Array): Promise<void> {
    return asBlockError(this.#image.write(from, block * BLOCK_BYTES));
  }

  async readWith<Result>(
    block: number,
    count: number,
    use: (payload: Uint8Array) => Result,
  ): Promise<Result> {
    const bytes = new Uint8Array(count * BLOCK_BYTES);
    await this.read(block, count, bytes);
    return use(bytes);
  }

  async writeWith(block: number, count: number, fill: (payload: Uint8Array) => void): Promise<void> {
    const bytes = new Uint8Array(count * BLOCK_BYTES);
    fill(bytes);
    await this.write(block, count, bytes);
  }

  sync(): Promise<void> {
    return asBlockError(this.#image.sync());
  }

  trim(block: number, count: number): Promise<void> {
    return asBlockError(this.#image.discard(block * BLOCK_BYTES, count * BLOCK_BYTES));
  }

  writeZeroes(block: number, count: number): Promise<void> {
    return asBlockError(this.#image.writeZeroes(block * BLOCK_BYTES, count * BLOCK_BYTES));
  }

  /** Writes back what only memory has. */
  close(): Promise<void> {
    return asBlockError(this.#image.close());
  }
}

async function asBlockError<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    throw blockError(error.code === 'NoSpace' || error.code === 'ReadOnly' ? error.code : 'InputOutput');
  }
}
