/** A file of an HTTP server as a device that is only read. */
import { type Env, RpcError } from '@ginit/core';
import { inPieces } from '@ginit/core/async';
import { type BlockAnswer, type BlockBackend, blockError, type BlockInfo, rejected } from '@ginit/core/block';
import type { ConfigOf } from '@ginit/core/config';
import { httpPlace, type HttpPlace } from '../http/http-place.ts';
import { hostOf } from '../lib/address.ts';
import { checkBlockSize, PAYLOAD_ALIGN_LOG2, wholeBlocks } from '../lib/block-size.ts';
import { BoundedLog } from '../lib/bounded-log.ts';
import { clientTls } from '../lib/tls.ts';
import { RemoteFile } from './remote-file.ts';
import { HTTP_BLOCK_CONFIG } from './schema.ts';

/** Bytes of one request to the server. */
const REQUEST_BYTES_MAX = 1024 * 1024;

/** The part of `env` that the driver uses. */
export type HttpDiskEnv = Pick<Env, 'config' | 'host' | 'connect' | 'close' | 'timer' | 'warning' | 'error'>;

type HttpConfig = ConfigOf<typeof HTTP_BLOCK_CONFIG>;

export class HttpDisk implements BlockBackend {
  readonly info: BlockInfo;
  readonly #file: RemoteFile;
  readonly #connections: number;
  /** Failures of the server; later ones are told to the clients only. */
  readonly #failures: BoundedLog;

  /** Opens the file that the config names. Throws `ConfigError` where that cannot work. */
  static async open(env: HttpDiskEnv): Promise<HttpDisk> {
    const config = env.config.read(HTTP_BLOCK_CONFIG);
    const { uri, block_size: blockSize, connections, retries, $node } = config;
    checkBlockSize(config);
    const connect = await connector(env, config);
    let file: RemoteFile;
    try {
      const timeoutMs = config.timeout_seconds * 1000;
      file = await RemoteFile.open({ uri, connect, clock: env.timer, connections, retries, timeoutMs });
    } catch (error) {
      if (error instanceof RpcError) throw $node.errorAt(error.message, 'uri');
      throw error;
    }
    const { problem, warning } = wholeBlocks('there are', file.sizeBytes, blockSize);
    if (problem !== undefined) {
      await file.close();
      throw $node.errorAt(problem, 'uri');
    }
    if (warning !== undefined) void env.warning(warning);
    return new HttpDisk(file, blockSize, connections, (text) => void env.error(text));
  }

  /** `complain` is called with a line for each of the first reads that fail. */
  constructor(file: RemoteFile, blockSize: number, connections: number, complain: (text: string) => void) {
    this.#file = file;
    this.#connections = connections;
    this.#failures = new BoundedLog(complain);
    const blockCount = Math.floor(file.sizeBytes / blockSize);
    this.info = { blockSize, blockCount, alignLog2: PAYLOAD_ALIGN_LOG2, writeable: false };
  }

  async read(block: number, count: number, into: Uint8Array): Promise<void> {
    const start = block * this.info.blockSize;
    const pieces = { total: into.byteLength, pieceMax: REQUEST_BYTES_MAX, underWayMax: this.#connections };
    try {
      await inPieces(pieces, (at, bytes) => this.#file.read(start + at, into.subarray(at, at + bytes)));
    } catch (error) {
      throw this.#failure(block, count, error);
    }
  }

  write(): BlockAnswer {
    return rejected('ReadOnly');
  }

  sync(): void {}

  trim(): BlockAnswer {
    return rejected('ReadOnly');
  }

  writeZeroes(): BlockAnswer {
    return rejected('ReadOnly');
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  #failure(block: number, count: number, error: unknown): unknown {
    if (!(error instanceof RpcError)) return error;
    this.#failures.tell(`read of ${count} blocks from ${block} on: ${error.message}`);
    return blockError(error.code === 'Gone' ? 'Gone' : 'InputOutput', error.message);
  }
}

/** How connections are made, which for https are secured. */
async function connector(
  env: HttpDiskEnv,
  { uri, $children, $node }: HttpConfig,
): Promise<(place: HttpPlace) => ReturnType<HttpDiskEnv['host']['connect']>> {
  const place = httpPlace(uri);
  if (typeof place === 'string') throw $node.errorAt(`uri "${uri}" ${place}`, 'uri');
  if (!place.secure) {
    if ($children.tls) throw $node.errorAt('there is a <tls>, and the uri does not begin with https:', 'uri');
    return ({ address }) => env.host.connect(address);
  }
  const tls = await clientTls(env, $children.tls, hostOf(place.address));
  return async ({ address }) => {
    const connection = await env.host.connect(address);
    await connection.startTls(tls);
    return connection;
  };
}
