/** A block device that is the disk in an image. */
import { type Env, RpcError } from '@ginit/core';
import { Listeners } from '@ginit/core/async';
import {
  type BlockAnswer,
  type BlockBackend,
  blockError,
  type BlockErrorCode,
  type BlockInfo,
  RETRY,
} from '@ginit/core/block';
import { type DiskImage, ImageError } from '../image/index.ts';
import { checkBlockSize, PAYLOAD_ALIGN_LOG2, wholeBlocks } from '../lib/block-size.ts';
import { BoundedLog } from '../lib/bounded-log.ts';
import { openGrantedImages, type OpenImages } from './granted-images.ts';
import { IMAGE_BLOCK_CONFIG, type ImageBlockConfig } from './schema.ts';

type ImageEnv = Pick<Env, 'config' | 'host' | 'log' | 'warning' | 'error'>;

/** What a config must say as it did at the start. */
const LASTING = ['file', 'format', 'block_size', 'writeable'] as const;

/** The device. */
export class ImageDisk implements BlockBackend {
  readonly #env: ImageEnv;
  readonly #config: ImageBlockConfig;
  readonly #images: OpenImages;
  readonly #infoChanged = new Listeners();
  readonly #ready = new Listeners();
  /** Failures of the image or its file; later ones are told to the clients only. */
  readonly #failures: BoundedLog;
  #info: BlockInfo;
  #underWay = 0;
  /** Called when no request is under way any more. */
  #idle: (() => void) | undefined;
  #resizing = false;
  /** The changes of size that were asked for, one after the other. */
  #changes: Promise<void> = Promise.resolve();
  #closed = false;

  /** Opens the image that the config names. Throws `ConfigError` if that cannot be a device. */
  static async open(env: ImageEnv): Promise<ImageDisk> {
    const config = env.config.read(IMAGE_BLOCK_CONFIG);
    checkBlockSize(config);
    const images = await openGrantedImages(env, config);
    const { file, block_size: blockSize, size, $node: node } = config;
    try {
      const { image } = images;
      if (size !== undefined && image.sizeBytes !== size) await growAtStart(env, image, size, config);
      const { problem, warning } = wholeBlocks(`the disk in "${file}" has`, image.sizeBytes, blockSize);
      if (problem !== undefined) throw node.errorAt(problem, 'file');
      if (warning !== undefined) void env.warning(warning);
    } catch (error) {
      await images.closeFiles();
      throw error;
    }
    const disk = new ImageDisk(env, config, images);
    env.config.onUpdate(() => disk.#apply());
    return disk;
  }

  private constructor(env: ImageEnv, config: ImageBlockConfig, images: OpenImages) {
    this.#env = env;
    this.#config = config;
    this.#images = images;
    this.#failures = new BoundedLog((text) => void env.error(text));
    const { image, device } = images;
    const { block_size: blockSize } = config;
    this.#info = {
      blockSize,
      blockCount: Math.floor(image.sizeBytes / blockSize),
      alignLog2: PAYLOAD_ALIGN_LOG2,
      writeable: image.writeable,
    };
    // The file of any other format has another size than its disk, and changes it by itself.
    if (image.format === 'raw') device.onResized(() => this.#look());
  }

  get info(): BlockInfo {
    return this.#info;
  }

  onInfoChanged(handler: () => void): () => void {
    return this.#infoChanged.add(handler);
  }

  onReady(handler: () => void): () => void {
    return this.#ready.add(handler);
  }

  read(block: number, count: number, into: Uint8Array): BlockAnswer {
    return this.#request('read', block, count, (image, at) => image.read(into, at));
  }

  write(block: number, count: number, from: Uint8Array): BlockAnswer {
    return this.#request('write', block, count, (image, at) => image.write(from, at));
  }

  sync(): BlockAnswer {
    return this.#request('sync', 0, 0, (image) => image.sync());
  }

  trim(block: number, count: number): BlockAnswer {
    return this.#request('trim', block, count, (image, at, length) => image.discard(at, length));
  }

  writeZeroes(block: number, count: number): BlockAnswer {
    return this.#request('write of zeros', block, count, (image, at, length) =>
      image.writeZeroes(at, length),
    );
  }

  /** Ends the use of the image. Everything that was written is on stable storage then. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#changes;
    await this.#quiet();
    try {
      await this.#images.image.close();
    } finally {
      await this.#images.closeFiles();
    }
  }

  /** Carries out a request, unless the disk is getting another size. */
  #request(
    what: string,
    block: number,
    count: number,
    work: (image: DiskImage, position: number, length: number) => Promise<void>,
  ): BlockAnswer {
    if (this.#resizing) return RETRY;
    const { blockSize } = this.#info;
    this.#underWay++;
    return work(this.#images.image, block * blockSize, count * blockSize)
      .catch((error: unknown) => {
        throw this.#failure(`${what} of ${count} blocks from ${block} on`, error);
      })
      .finally(() => {
        this.#underWay--;
        if (this.#underWay === 0) this.#idle?.();
      });
  }

  #failure(what: string, error: unknown): unknown {
    if (!(error instanceof ImageError)) return error;
    this.#failures.tell(`${what}: ${error.message}`);
    return blockError(blockCode(error));
  }

  /** Does what a new config asks for. */
  #apply(): Promise<void> {
    const config = this.#env.config.read(IMAGE_BLOCK_CONFIG);
    for (const name of LASTING) {
      if (config[name] === this.#config[name]) continue;
      void this.#env.warning(`the config has another "${name}" now, which takes a restart of this component`);
    }
    const { size } = config;
    if (size !== undefined) this.#changes = this.#changes.then(() => this.#resize(size));
    return this.#changes;
  }

  /** Makes the disk larger while it is used. What cannot be done is said in the log. */
  async #resize(size: number): Promise<void> {
    const { image } = this.#images;
    if (size === image.sizeBytes || this.#closed) return;
    if (size < image.sizeBytes) {
      await this.#env.error(
        `the disk is not made smaller than its ${image.sizeBytes} bytes while it is used`,
      );
      return;
    }
    this.#resizing = true;
    await this.#quiet();
    try {
      await image.resize(size);
      await this.#env.log(`the disk has ${size} bytes now`);
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      await this.#env.error(`the disk cannot be made larger: ${error.message}`);
    } finally {
      this.#resizing = false;
      this.#look();
      this.#ready.call();
    }
  }

  /** Settles when no request is under way. */
  async #quiet(): Promise<void> {
    if (this.#underWay === 0) return;
    await new Promise<void>((resolve) => (this.#idle = resolve));
    this.#idle = undefined;
  }

  /** Tells the clients of a larger disk. They keep what they had of one that has shrunk. */
  #look(): void {
    const blockCount = Math.floor(this.#images.image.sizeBytes / this.#info.blockSize);
    if (blockCount <= this.#info.blockCount) {
      if (blockCount < this.#info.blockCount) {
        this.#failures.tell(`the file has shrunk: its blocks from ${blockCount} on are gone`);
      }
      return;
    }
    this.#info = { ...this.#info, blockCount };
    this.#infoChanged.call();
  }
}

async function growAtStart(
  env: ImageEnv,
  image: DiskImage,
  size: number,
  config: ImageBlockConfig,
): Promise<void> {
  if (size < image.sizeBytes) {
    // It may have grown while the system was running, and the config was put back since.
    void env.warning(
      `the disk keeps its ${image.sizeBytes} bytes, more than "size" says: only "ginit image resize" makes it smaller`,
    );
    return;
  }
  try {
    await image.resize(size);
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    throw config.$node.errorAt(`the disk cannot be made larger: ${error.message}`, 'size');
  }
}

function blockCode({ code }: ImageError): BlockErrorCode {
  switch (code) {
    case 'NoSpace':
    case 'ReadOnly':
    case 'InputOutput':
      return code;
    case 'Malformed':
    case 'Unsupported':
    case 'Invalid':
      return 'InputOutput';
  }
}
