/** An export of an NBD server as a device. */
import { type Env, RpcError } from '@ginit/core';
import { inLanes, inPieces, Listeners, Rounds } from '@ginit/core/async';
import {
  type BlockAnswer,
  type BlockBackend,
  blockError,
  type BlockInfo,
  writeZeroesByWriting,
} from '@ginit/core/block';
import type { ConfigOf } from '@ginit/core/config';
import { copyInto } from '@ginit/core/packet-stream';
import { hostOf } from '../lib/address.ts';
import { checkBlockSize, PAYLOAD_ALIGN_LOG2, wholeBlocks } from '../lib/block-size.ts';
import { RangeOrder } from '../lib/range-order.ts';
import { clientTls } from '../lib/tls.ts';
import type { ClientConnection } from '../nbd/client/client-connection.ts';
import type { RemoteExport } from '../nbd/client/handshake.ts';
import { type Change, Journal } from './journal.ts';
import { RemoteLink, type LinkOptions } from './remote-link.ts';
import { NBD_BLOCK_CONFIG } from './schema.ts';

/** Requests of one session that are sent to the server at a time. */
export const REQUESTS_UNDER_WAY_MAX = 128;
/** Pieces of one request, where the server takes no larger ones. */
const PIECES_UNDER_WAY = 8;
/** Changes that are made again at a time when the connection was lost. */
const CHANGES_MADE_AGAIN = 16;
/** The largest piece of a request without data. */
const DATALESS_BYTES_MAX = 2 ** 30;
const SMALLEST_BLOCK = 512;

/** The part of `env` that the driver uses. */
export type RemoteDiskEnv = Pick<
  Env,
  'config' | 'host' | 'connect' | 'close' | 'timer' | 'log' | 'warning' | 'error'
>;

/** How a device is made of an export. */
export interface RemoteDiskOptions {
  readonly blockSize: number | undefined;
  readonly writeable: boolean;
  readonly journalBytes: number;
  readonly warn: (text: string) => void;
}

export class RemoteDisk implements BlockBackend {
  readonly #link: RemoteLink;
  readonly #options: RemoteDiskOptions;
  readonly #journal = new Journal();
  readonly #syncs: Rounds;
  readonly #listeners = new Listeners();
  #remote: RemoteExport;
  #info: BlockInfo;

  /** Opens the export that the config names. Throws `ConfigError` where that cannot work. */
  static async open(env: RemoteDiskEnv): Promise<RemoteDisk> {
    const config = env.config.read(NBD_BLOCK_CONFIG);
    const { connect, $children, $node, block_size: blockSize, writeable, in_flight: inFlight } = config;
    if (blockSize !== undefined) checkBlockSize({ block_size: blockSize, $node });
    const tls = $children.tls && (await clientTls(env, $children.tls, hostOf(connect)));
    try {
      return await RemoteDisk.over(
        {
          connect: () => env.host.connect(connect),
          clock: env.timer,
          exportName: config.export,
          tls,
          connections: config.connections,
          reconnectMs: config.reconnect_seconds * 1000,
          stallMs: config.stall_seconds * 1000,
          replay: inFlight === 'replay',
          tell: (text) => void env.warning(text),
        },
        { blockSize, writeable, journalBytes: config.journal, warn: (text) => void env.warning(text) },
      );
    } catch (error) {
      if (error instanceof RpcError) throw $node.errorAt(error.message, placeOf(error, config));
      throw error;
    }
  }

  /** The same with connections of any kind. Rejects with an `RpcError`. */
  static async over(link: LinkOptions, options: RemoteDiskOptions): Promise<RemoteDisk> {
    const opened = await RemoteLink.open(link);
    try {
      return new RemoteDisk(opened.link, opened.remote, options);
    } catch (error) {
      await opened.link.close();
      throw error;
    }
  }

  private constructor(link: RemoteLink, remote: RemoteExport, options: RemoteDiskOptions) {
    this.#link = link;
    this.#options = options;
    this.#remote = remote;
    this.#info = this.#describe(remote);
    this.#syncs = new Rounds(() => this.#flush());
    link.onRenewed((renewed, connection) => this.#renew(renewed, connection));
    if (options.writeable && !remote.canFlush) {
      options.warn('the server knows no FLUSH: a SYNC does not say what is on stable storage');
    }
    const { warning } = wholeBlocks('the export has', remote.sizeBytes, this.#info.blockSize);
    if (warning !== undefined) options.warn(warning);
  }

  get info(): BlockInfo {
    return this.#info;
  }

  onInfoChanged(handler: () => void): () => void {
    return this.#listeners.add(handler);
  }

  read(block: number, _count: number, into: Uint8Array): Promise<void> {
    const position = block * this.#info.blockSize;
    return this.#inPieces(into.byteLength, this.#remote.maximumBytes, (at, bytes) =>
      this.#link.perform((connection) => connection.read(position + at, into.subarray(at, at + bytes))),
    );
  }

  async write(block: number, _count: number, from: Uint8Array): Promise<void> {
    // The client may change its memory at any time; what is sent again must be what was sent.
    const data = new Uint8Array(from.byteLength);
    copyInto(data, from);
    const start = block * this.#info.blockSize;
    await this.#inPieces(data.byteLength, this.#remote.maximumBytes, (at, bytes) =>
      this.#change({ kind: 'write', position: start + at, data: data.subarray(at, at + bytes) }),
    );
  }

  sync(): Promise<void> {
    return this.#syncs.request();
  }

  trim(block: number, count: number): Promise<void> | undefined {
    return this.#remote.canTrim ? this.#dataless('trim', block, count) : undefined;
  }

  writeZeroes(block: number, count: number): BlockAnswer {
    if (!this.#remote.canWriteZeroes) return writeZeroesByWriting(this, block, count);
    return this.#dataless('zero', block, count);
  }

  /** Ends the use of the export. Everything that was written is on stable storage then. */
  async close(): Promise<void> {
    try {
      if (this.#journal.bytes > 0) await this.sync();
    } finally {
      await this.#link.close();
    }
  }

  #dataless(kind: 'zero' | 'trim', block: number, count: number): Promise<void> {
    const { blockSize } = this.#info;
    return this.#inPieces(count * blockSize, DATALESS_BYTES_MAX, (at, bytes) =>
      this.#change({ kind, position: block * blockSize + at, bytes }),
    );
  }

  /** Nearly all requests are one piece, and pay nothing for this. */
  #inPieces(
    bytes: number,
    pieceMax: number,
    piece: (at: number, bytes: number) => Promise<void>,
  ): Promise<void> {
    if (bytes > 0 && bytes <= pieceMax) return piece(0, bytes);
    return inPieces({ total: bytes, pieceMax, underWayMax: PIECES_UNDER_WAY }, piece).then(() => {});
  }

  async #change(change: Change): Promise<void> {
    const { journalBytes } = this.#options;
    // The server is asked to make room in time, so that nobody has to wait for it as a rule.
    if (this.#journal.bytes > journalBytes / 2) {
      const synced = this.sync();
      if (this.#journal.bytes > journalBytes) await synced;
      else synced.catch(() => {});
    }
    await this.#link.perform((connection) => make(connection, change));
    this.#journal.add(change);
  }

  /**
   * After a FLUSH that failed the server may have dropped what it could not write, and would report
   * success for the next one. So everything since the last success is made again before that.
   */
  async #flush(): Promise<void> {
    const mark = this.#journal.mark();
    try {
      if (this.#remote.canFlush) await this.#link.perform((connection) => connection.flush());
    } catch (error) {
      this.#link.renew('a FLUSH has failed');
      throw error;
    }
    this.#journal.drop(mark);
  }

  /** What a server may have lost is made again, in its order, before anything else is sent. */
  async #renew(remote: RemoteExport, connection: ClientConnection): Promise<void> {
    const info = this.#describe(remote);
    if (info.blockCount < this.#info.blockCount || info.blockSize !== this.#info.blockSize) {
      throw blockError('Gone', `the export has ${remote.sizeBytes} bytes now: it is not the same any more`);
    }
    await makeAgain(connection, this.#journal.changes);
    const grown = info.blockCount > this.#info.blockCount;
    this.#remote = remote;
    this.#info = info;
    if (grown) this.#listeners.call();
  }

  /** The device that the export is. Throws a Block error if it cannot be one. */
  #describe(remote: RemoteExport): BlockInfo {
    const { writeable, blockSize = Math.max(SMALLEST_BLOCK, remote.minimumBytes) } = this.#options;
    const { sizeBytes, minimumBytes, readOnly, maximumBytes } = remote;
    if (writeable && readOnly) throw blockError('ReadOnly', 'the server lets nobody write to the export');
    if (blockSize < minimumBytes || blockSize > maximumBytes) {
      throw blockError('Invalid', `the server takes requests of ${minimumBytes} to ${maximumBytes} bytes`);
    }
    const { count: blockCount, problem } = wholeBlocks('the export has', sizeBytes, blockSize);
    if (problem !== undefined) throw blockError('Invalid', problem);
    return { blockSize, blockCount, alignLog2: PAYLOAD_ALIGN_LOG2, writeable };
  }
}

/** Makes changes side by side; those that meet one another go in their order. */
function makeAgain(connection: ClientConnection, changes: readonly Change[]): Promise<void> {
  const order = new RangeOrder();
  let next = 0;
  let failed = false;
  return inLanes(CHANGES_MADE_AGAIN, async () => {
    for (let change = changes[next++]; change && !failed; change = changes[next++]) {
      const again = change;
      const { position } = again;
      try {
        await order.run(position, position + bytesOf(again), true, () => make(connection, again));
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  });
}

const bytesOf = (change: Change): number => (change.kind === 'write' ? change.data.byteLength : change.bytes);

function make(connection: ClientConnection, change: Change): Promise<void> {
  switch (change.kind) {
    case 'write':
      return connection.write(change.position, change.data);
    case 'zero':
      return connection.writeZeroes(change.position, change.bytes);
    case 'trim':
      return connection.trim(change.position, change.bytes);
  }
}

/** The attribute that an error of the start is about. */
function placeOf({ code }: RpcError, config: ConfigOf<typeof NBD_BLOCK_CONFIG>): string | undefined {
  if (code === 'ReadOnly') return 'writeable';
  if (code === 'Refused' && config.export !== '') return 'export';
  return code === 'Invalid' && config.block_size !== undefined ? 'block_size' : 'connect';
}
