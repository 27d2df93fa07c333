/** A block device that is a file of a File_system session. */
import { type Env, hasCode, RpcError } from '@ginit/core';
import { Listeners, Rounds } from '@ginit/core/async';
import { attribute, type ConfigOf, element } from '@ginit/core/config';
import {
  type BlockBackend,
  blockError,
  type BlockErrorCode,
  type BlockInfo,
  BLOCK_POLICY_ELEMENTS,
  writeZeroesByWriting,
} from '@ginit/core/block';
import { FileSystemClient, type NodeWatch, type OpenFile } from '@ginit/core/file_system';
import {
  BLOCK_SIZE_ATTRIBUTE,
  bufferAttribute,
  PAYLOAD_ALIGN_LOG2,
  checkBlockSize,
  wholeBlocks,
} from '../lib/block-size.ts';

/** The config of `vfs_block`. */
export const VFS_BLOCK_CONFIG = element('config', 'A file of a file system as a block device', {
  attributes: {
    file: attribute.text('Path of the file in the File_system session', { required: true }),
    ...BLOCK_SIZE_ATTRIBUTE,
    writeable: attribute.boolean('Whether the file may be written', { fallback: false }),
    ...bufferAttribute('Buffer for transfers from and to the file system'),
  },
  children: BLOCK_POLICY_ELEMENTS,
});

type VfsEnv = Pick<Env, 'config' | 'connect' | 'close' | 'warning' | 'error'>;

/** The device. */
export class VfsDisk implements BlockBackend {
  readonly #fs: FileSystemClient;
  readonly #file: OpenFile;
  readonly #warn: (text: string) => void;
  readonly #listeners = new Listeners();
  readonly #syncs: Rounds;
  #info: BlockInfo;
  #watch: NodeWatch | undefined;

  /** Opens the file that the config names. Throws `ConfigError` if it cannot be a device. */
  static async open(env: VfsEnv): Promise<VfsDisk> {
    const config = env.config.read(VFS_BLOCK_CONFIG);
    checkBlockSize(config);
    const { writeable, tx_buf_size: bufferBytes } = config;
    const fs = await FileSystemClient.connect(env, { bufferBytes, writeable });
    try {
      const file = await openFile(fs, config);
      const { sizeBytes } = await file.status();
      const disk = new VfsDisk(fs, file, sizeBytes, config, (text) => void env.warning(text));
      await disk.#follow(config.file);
      return disk;
    } catch (error) {
      await fs.close().catch(() => {});
      throw error;
    }
  }

  private constructor(
    fs: FileSystemClient,
    file: OpenFile,
    sizeBytes: number,
    config: ConfigOf<typeof VFS_BLOCK_CONFIG>,
    warn: (text: string) => void,
  ) {
    const { block_size: blockSize, writeable, $node: node } = config;
    const whole = wholeBlocks(`file "${config.file}" has`, sizeBytes, blockSize);
    if (whole.problem !== undefined) throw node.errorAt(whole.problem, 'file');
    if (whole.warning !== undefined) warn(whole.warning);
    this.#fs = fs;
    this.#file = file;
    this.#warn = warn;
    this.#info = { blockSize, blockCount: whole.count, alignLog2: PAYLOAD_ALIGN_LOG2, writeable };
    this.#syncs = new Rounds(() => asBlockError(fs.sync()));
  }

  get info(): BlockInfo {
    return this.#info;
  }

  onInfoChanged(handler: () => void): () => void {
    return this.#listeners.add(handler);
  }

  async read(block: number, count: number, into: Uint8Array): Promise<void> {
    const read = await asBlockError(this.#file.read(block * this.#info.blockSize, into));
    // The file has been made shorter, and we have not heard of it yet.
    if (read < into.byteLength)
      throw blockError('InputOutput', `${count} blocks from ${block} on are not there`);
  }

  async write(block: number, _count: number, from: Uint8Array): Promise<void> {
    await asBlockError(this.#file.write(block * this.#info.blockSize, from));
  }

  sync(): Promise<void> {
    return this.#syncs.request();
  }

  /** A File_system session has no way to make holes in files. */
  trim(): void {}

  writeZeroes(block: number, count: number): Promise<void> {
    return writeZeroesByWriting(this, block, count);
  }

  /** Ends the use of the file. Everything that was written is on stable storage then. */
  async close(): Promise<void> {
    try {
      // A SYNC says nothing of a write that was under way when it began, so this is the last one.
      if (this.#info.writeable) await this.sync();
      await this.#watch?.close();
      await this.#file.close();
    } finally {
      await this.#fs.close();
    }
  }

  /** Notes when the file gets another size. Not every file system can tell. */
  async #follow(path: string): Promise<void> {
    try {
      this.#watch = await this.#fs.watch(path, () => void this.#look().catch(() => {}));
    } catch (error) {
      if (!(error instanceof RpcError) || hasCode(error, 'PeerGone')) throw error;
      this.#warn(`nobody will tell if the file gets another size: ${error.message}`);
    }
  }

  async #look(): Promise<void> {
    const { sizeBytes } = await this.#file.status();
    const blockCount = Math.floor(sizeBytes / this.#info.blockSize);
    if (blockCount === this.#info.blockCount) return;
    this.#info = { ...this.#info, blockCount };
    this.#listeners.call();
  }
}

async function openFile(
  fs: FileSystemClient,
  { file: path, writeable, $node: node }: ConfigOf<typeof VFS_BLOCK_CONFIG>,
): Promise<OpenFile> {
  try {
    return await fs.open(path, { mode: writeable ? 'read-write' : 'read-only' });
  } catch (error) {
    if (!(error instanceof RpcError) || hasCode(error, 'PeerGone')) throw error;
    throw node.errorAt(`file "${path}" cannot be opened: ${error.message}`, 'file');
  }
}

/** Gives a failure of the file system the code that Block has for it. */
async function asBlockError<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof RpcError) || hasCode(error, 'PeerGone')) throw error;
    throw blockError(blockCode(error.code), error.message);
  }
}

function blockCode(code: string): BlockErrorCode {
  switch (code) {
    case 'No_space':
    case 'Size_limit_reached':
      return 'NoSpace';
    case 'Permission_denied':
      return 'ReadOnly';
    case 'Unavailable':
    case 'Invalid_handle':
      return 'Gone';
    default:
      return 'InputOutput';
  }
}
