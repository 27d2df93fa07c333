/**
 * A block device that is a file of the host. Requests go to the host as they come, many at a time,
 * directly from and into the memory of the client's packet stream; the host ends them in any order.
 */
import { type Env, RpcError } from '@ginit/core';
import { Listeners, Rounds } from '@ginit/core/async';
import { attribute, type ConfigOf, element } from '@ginit/core/config';
import {
  type BlockBackend,
  blockError,
  type BlockInfo,
  BLOCK_POLICY_ELEMENTS,
  writeZeroesByWriting,
} from '@ginit/core/block';
import { type HostFile } from '@ginit/core/host';
import { BLOCK_SIZE_ATTRIBUTE, PAYLOAD_ALIGN_LOG2, checkBlockSize, wholeBlocks } from '../lib/block-size.ts';
import { BoundedLog } from '../lib/bounded-log.ts';

/** The number of requests of one session that the host works on at the same time. */
export const REQUESTS_UNDER_WAY_MAX = 64;
/** The ways to the host. */
const IO = ['auto', 'pool'] as const;

/** The config of `file_block`. */
export const FILE_BLOCK_CONFIG = element('config', 'A file of the host as a block device', {
  attributes: {
    file: attribute.text('Path of the file, spelled as in the <host> grant', { required: true }),
    ...BLOCK_SIZE_ATTRIBUTE,
    writeable: attribute.boolean('Whether the file may be written; needs a grant with access="rw"', {
      fallback: false,
    }),
    direct: attribute.boolean('Whether to read and write past the cache of the host', { fallback: false }),
    io: attribute.oneOf(
      'How requests reach the host: as fast as it can, or always by a pool of threads',
      IO,
      {
        fallback: 'auto',
      },
    ),
  },
  children: BLOCK_POLICY_ELEMENTS,
});

/** The device. */
export class FileDisk implements BlockBackend {
  readonly #file: HostFile;
  readonly #infoChanged = new Listeners();
  readonly #complain: (text: string) => void;
  /** Failures of the host; later ones are told to the clients only. */
  readonly #failures: BoundedLog;
  readonly #syncs: Rounds;
  #info: BlockInfo;
  #syncFailure: RpcError | undefined;

  /**
   * Opens the file that the config names. Throws `ConfigError` at a part of the config that is
   * impossible.
   */
  static async open(env: Pick<Env, 'config' | 'host' | 'warning' | 'error'>): Promise<FileDisk> {
    const config = env.config.read(FILE_BLOCK_CONFIG);
    checkBlockSize(config);
    const { file: path, block_size: blockSize } = config;
    const file = await openFile(env, config);
    const { problem, warning } = wholeBlocks(`file "${path}" has`, file.sizeBytes, blockSize);
    if (problem !== undefined) {
      await file.close();
      throw config.$node.errorAt(problem, 'file');
    }
    if (warning !== undefined) void env.warning(warning);
    return new FileDisk(file, blockSize, (text) => void env.error(text));
  }

  /** `complain` is called with a line for each thing that goes wrong with the file. */
  constructor(file: HostFile, blockSize: number, complain: (text: string) => void) {
    this.#file = file;
    this.#complain = complain;
    this.#failures = new BoundedLog(complain);
    this.#syncs = new Rounds(() => this.#syncFile());
    this.#info = {
      blockSize,
      blockCount: Math.floor(file.sizeBytes / blockSize),
      alignLog2: PAYLOAD_ALIGN_LOG2,
      writeable: file.writeable,
    };
    file.onResized(() => void this.#look());
  }

  get info(): BlockInfo {
    return this.#info;
  }

  onInfoChanged(handler: () => void): () => void {
    return this.#infoChanged.add(handler);
  }

  read(block: number, count: number, into: Uint8Array): Promise<void> {
    return this.#file.read(into, block * this.#info.blockSize).catch((error: unknown) => {
      throw this.#failure('read', block, count, error);
    });
  }

  write(block: number, count: number, from: Uint8Array): Promise<void> {
    return this.#file.write(from, block * this.#info.blockSize).catch((error: unknown) => {
      throw this.#failure('write', block, count, error);
    });
  }

  sync(): Promise<void> {
    return this.#syncs.request();
  }

  /** Gives the space back to the host, where the host takes it. */
  async trim(block: number, count: number): Promise<void> {
    const { blockSize } = this.#info;
    await this.#file.discard(block * blockSize, count * blockSize).catch((error: unknown) => {
      throw this.#failure('trim', block, count, error);
    });
  }

  async writeZeroes(block: number, count: number): Promise<void> {
    const { blockSize } = this.#info;
    const done = await this.#file.zero(block * blockSize, count * blockSize).catch((error: unknown) => {
      throw this.#failure('write of zeros', block, count, error);
    });
    if (!done) await writeZeroesByWriting(this, block, count);
  }

  /** Ends the use of the file. Everything that was written is on stable storage then. */
  async close(): Promise<void> {
    try {
      // A SYNC says nothing of a write that was under way when it began, so this is the last one.
      if (this.#info.writeable && !this.#syncFailure) await this.sync();
    } finally {
      await this.#file.close();
    }
  }

  /**
   * Looks at the size of the file. The device grows with it, but does not shrink: whoever uses the
   * blocks that are gone gets errors.
   */
  async #look(): Promise<void> {
    const sizeBytes = await this.#file.size().catch(() => undefined);
    if (sizeBytes === undefined) return;
    const { blockSize, blockCount } = this.#info;
    const blocks = Math.floor(sizeBytes / blockSize);
    if (blocks < blockCount) {
      this.#complain(`the file has shrunk to ${sizeBytes} bytes: its blocks from ${blocks} on are gone`);
    } else if (blocks > blockCount) {
      this.#info = { ...this.#info, blockCount: blocks };
      this.#infoChanged.call();
    }
  }

  /**
   * After a sync that failed, no later one succeeds: the host may have dropped data that it could
   * not write, and would report success for the next sync.
   */
  async #syncFile(): Promise<void> {
    if (this.#syncFailure) throw this.#syncFailure;
    try {
      await this.#file.sync();
    } catch (error) {
      this.#syncFailure = this.#failure('sync', 0, this.#info.blockCount, error);
      throw this.#syncFailure;
    }
  }

  #failure(what: string, block: number, count: number, error: unknown): RpcError {
    if (!(error instanceof RpcError)) throw error;
    this.#failures.tell(`${what} of ${count} blocks from ${block} on: ${error.message}`);
    return blockError(error.code === 'NoSpace' ? 'NoSpace' : 'InputOutput');
  }
}

async function openFile(
  env: Pick<Env, 'host'>,
  { file, writeable, direct, io, $node }: ConfigOf<typeof FILE_BLOCK_CONFIG>,
): Promise<HostFile> {
  try {
    return await env.host.openFile(file, writeable ? 'rw' : 'ro', { direct, pool: io === 'pool' });
  } catch (error) {
    if (error instanceof RpcError) throw $node.errorAt(error.message, 'file');
    throw error;
  }
}
