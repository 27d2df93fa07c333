/**
 * The client's side of a Block session: requests with a promise each, any number at a time. A
 * transfer that is larger than the largest request goes in pieces, a few of them under way at a
 * time, so that a large transfer does not hold up what others ask for meanwhile. Every promise
 * settles: with the result, an `RpcError` of a `BlockErrorCode`, or `PeerGone`.
 *
 *     const disk = await BlockClient.connect(env, { label: 'disk' });
 *     await disk.read(0, 8, bytes);
 */
import { inPieces, Listeners } from '../../async/index.ts';
import { PeerGone, RpcError } from '../../errors.ts';
import type { Session } from '../../interface/interface.ts';
import { copyInto } from '../../memory/copy-into.ts';
import { type Packet, PacketRequests, type PacketSource } from '../../packet-stream/index.ts';
import { Block, type BlockInfo, BLOCK_NOTICE, BLOCK_OPERATION, BLOCK_STATUS } from './declaration.ts';
import type { SessionArguments } from '../parent.ts';
import type { SessionOpening } from '../session-opening.ts';
import { type BlockBackend, blockError } from './block-backend.ts';
import { codeOfStatus } from './block-status.ts';

/**
 * How many pieces of one transfer are under way at a time. The bulk buffer has room for as many
 * requests of full size.
 */
const PIECES_UNDER_WAY = 4;
/** How many requests may wait for room in the stream. More are refused. */
const WAITING_MAX = 16_384;

/** How a Block session is asked for. */
export interface ConnectBlockOptions {
  readonly label?: string;
  /** The session arguments `tx_buf_size`, `offset`, `num_blocks` and `writeable`. */
  readonly args?: SessionArguments;
  /**
   * Called with a new client when the server has ended or is being replaced: see `ReattachOptions`.
   * Writes that no `sync` followed may be lost with the old server.
   */
  readonly onReattach?: (client: BlockClient) => void | Promise<void>;
  readonly onReattachRefused?: (reason: Error) => void;
}

const noPayload = (): void => {};

/**
 * A Block session as an object with promises. It is also a `BlockBackend`: a server that stands
 * between its clients and another one serves it, or a device of its own that passes requests to it.
 */
export class BlockClient implements BlockBackend {
  /**
   * The most blocks that `readWith` and `writeWith` take; `read` and `write` cut larger transfers
   * into such pieces.
   */
  readonly requestBlocksMax: number;
  readonly #requests: PacketRequests;
  readonly #close: () => Promise<void>;
  readonly #infoListeners = new Listeners();
  #info: BlockInfo;

  /**
   * Opens a Block session. Rejects with `SessionError`, or with an error if the session cannot be
   * used.
   */
  static async connect(env: SessionOpening, options: ConnectBlockOptions = {}): Promise<BlockClient> {
    const { onReattach, ...others } = options;
    const over = (session: Session<typeof Block>): Promise<BlockClient> =>
      BlockClient.over(session, async () => void (await env.close(session)));
    const again = onReattach && {
      // A new session that cannot be used is not closed: its server may be gone, too, and closing
      // the newest session would end the healing.
      onReattach: async (session: Session<typeof Block>) => onReattach(await over(session)),
    };
    const first = await env.connect(Block, { ...others, ...again });
    try {
      return await over(first);
    } catch (error) {
      await env.close(first).catch(() => {});
      throw error;
    }
  }

  /** A client over a session that was opened before. `close` closes the session. */
  static async over(session: Session<typeof Block>, close: () => Promise<void>): Promise<BlockClient> {
    return new BlockClient(session.tx, await session.info(), close);
  }

  /**
   * `source` belongs to the client from now on. Throws if the server's description of the device is
   * impossible.
   */
  constructor(
    source: PacketSource,
    info: BlockInfo,
    close: () => Promise<void> = async () => source.close(),
  ) {
    checkInfo(info);
    const capacityBlocks = Math.floor(source.capacityBytes / info.blockSize);
    if (capacityBlocks < 1) {
      throw blockError('Invalid', `a bulk buffer of ${source.capacityBytes} bytes holds no block`);
    }
    this.#info = info;
    this.requestBlocksMax = Math.max(1, Math.floor(capacityBlocks / PIECES_UNDER_WAY));
    this.#close = close;
    this.#requests = new PacketRequests(source, {
      closedError: (closure) =>
        new PeerGone(closure === 'closed' ? 'the Block session was closed' : `the block server: ${closure}`),
      unasked: (packet) => this.#noticed(packet),
      waitingMax: WAITING_MAX,
    });
  }

  /** The device as the server has last described it. Its size may change. */
  get info(): BlockInfo {
    return this.#info;
  }

  /**
   * Has `handler` called whenever `info` has changed: the device has another size, or may or may
   * not be written any more. The result ends that.
   */
  onInfoChanged(handler: () => void): () => void {
    return this.#infoListeners.add(handler);
  }

  /** The number of requests under way or waiting for room in the stream. */
  get pending(): number {
    return this.#requests.inFlight + this.#requests.waiting;
  }

  /** The number of requests that wait for room in the stream. */
  get waiting(): number {
    return this.#requests.waiting;
  }

  /** Fills `into`, which is exactly `count` blocks long, from block `first` on. */
  read(first: number, count: number, into: Uint8Array): Promise<void> {
    const problem = this.#problem(first, count, into.byteLength);
    if (problem !== undefined) return Promise.reject(problem);
    if (count <= this.requestBlocksMax)
      return this.readWith(first, count, (payload) => copyInto(into, payload));
    return this.#inPieces(count, (at, blocks) => {
      const part = this.#part(into, at, blocks);
      return this.readWith(first + at, blocks, (payload) => copyInto(part, payload));
    });
  }

  /** Writes `from`, which is exactly `count` blocks long, from block `first` on. */
  write(first: number, count: number, from: Uint8Array): Promise<void> {
    const problem = this.#problem(first, count, from.byteLength);
    if (problem !== undefined) return Promise.reject(problem);
    if (count <= this.requestBlocksMax)
      return this.writeWith(first, count, (payload) => copyInto(payload, from));
    return this.#inPieces(count, (at, blocks) => {
      const part = this.#part(from, at, blocks);
      return this.writeWith(first + at, blocks, (payload) => copyInto(payload, part));
    });
  }

  /**
   * Reads at most `requestBlocksMax` blocks from block `first` on, and calls `use` with them.
   * Resolves to the result of `use`. The blocks lie in memory shared with the server and are valid
   * only during that call.
   */
  readWith<Result>(first: number, count: number, use: (payload: Uint8Array) => Result): Promise<Result> {
    return this.#request(BLOCK_OPERATION.read, first, count, noPayload, use);
  }

  /**
   * Writes at most `requestBlocksMax` blocks from block `first` on. `fill` is called when there is
   * room, and puts the blocks together in memory of the stream.
   */
  writeWith(first: number, count: number, fill: (payload: Uint8Array) => void): Promise<void> {
    return this.#request(BLOCK_OPERATION.write, first, count, fill, noPayload);
  }

  /**
   * Settles when every write of this session that had ended before is on stable storage. On a
   * session that cannot write there is nothing to do.
   */
  sync(): Promise<void> {
    if (!this.#info.writeable) return Promise.resolve();
    return this.#control(BLOCK_OPERATION.sync, 0, this.#info.blockCount);
  }

  /**
   * Says that the blocks are not needed any more. Their content is undefined until they are written
   * again.
   */
  trim(first: number, count: number): Promise<void> {
    const problem = this.#rangeProblem(first, count);
    if (problem !== undefined) return Promise.reject(problem);
    return this.#control(BLOCK_OPERATION.trim, first, count);
  }

  /** Makes the blocks read as zeros, without sending them. */
  writeZeroes(first: number, count: number): Promise<void> {
    const problem = this.#rangeProblem(first, count);
    if (problem !== undefined) return Promise.reject(problem);
    return this.#control(BLOCK_OPERATION.writeZeroes, first, count);
  }

  /** Closes the session; what is under way ends with `PeerGone`. */
  close(): Promise<void> {
    return this.#close();
  }

  /** Takes a notice. What no server should send is ignored. */
  #noticed({ operation, position, argument }: Packet): void {
    if (operation !== BLOCK_NOTICE.info || !Number.isSafeInteger(position * this.#info.blockSize)) return;
    this.#info = { ...this.#info, blockCount: position, writeable: (argument & 1) !== 0 };
    this.#infoListeners.call();
  }

  #request<Result>(
    operation: number,
    first: number,
    count: number,
    fill: (payload: Uint8Array) => void,
    use: (payload: Uint8Array) => Result,
  ): Promise<Result> {
    const problem = this.#rangeProblem(first, count) ?? this.#requestProblem(count);
    if (problem !== undefined) return Promise.reject(problem);
    return this.#requests.perform(
      count * this.#info.blockSize,
      (packet, payload) => {
        packet.operation = operation;
        packet.position = first;
        packet.count = count;
        fill(payload);
      },
      (packet, payload) => {
        throwFailure(packet);
        return use(payload);
      },
    );
  }

  #control(operation: number, first: number, count: number): Promise<void> {
    const problem = this.#waitingProblem();
    if (problem !== undefined) return Promise.reject(problem);
    return this.#requests.perform(
      0,
      (packet) => {
        packet.operation = operation;
        packet.position = first;
        packet.count = count;
      },
      throwFailure,
    );
  }

  #part(bytes: Uint8Array, at: number, blocks: number): Uint8Array {
    const { blockSize } = this.#info;
    return bytes.subarray(at * blockSize, (at + blocks) * blockSize);
  }

  /**
   * Settles when no piece is under way any more, also after a failure, so that the caller may use
   * its memory again.
   */
  async #inPieces(count: number, piece: (at: number, blocks: number) => Promise<void>): Promise<void> {
    const { requestBlocksMax } = this;
    await inPieces({ total: count, pieceMax: requestBlocksMax, underWayMax: PIECES_UNDER_WAY }, piece);
  }

  #problem(first: number, count: number, bytes: number): RpcError | undefined {
    const problem = this.#rangeProblem(first, count);
    if (problem !== undefined) return problem;
    if (count > 0 && bytes === count * this.#info.blockSize) return undefined;
    return blockError('Invalid', `${bytes} bytes are not ${count} blocks of ${this.#info.blockSize}`);
  }

  #rangeProblem(first: number, count: number): RpcError | undefined {
    const { blockCount } = this.#info;
    if (!Number.isSafeInteger(first) || !Number.isSafeInteger(count) || first < 0 || count < 0) {
      return blockError('Invalid', `${count} blocks from ${first} on are no range`);
    }
    if (first <= blockCount && count <= blockCount - first) return undefined;
    return blockError(
      'OutOfRange',
      `${count} blocks from ${first} on go beyond the ${blockCount} of the device`,
    );
  }

  #requestProblem(count: number): RpcError | undefined {
    if (count < 1 || count > this.requestBlocksMax) {
      return blockError('Invalid', `a request has 1 to ${this.requestBlocksMax} blocks, not ${count}`);
    }
    return this.#waitingProblem();
  }

  #waitingProblem(): RpcError | undefined {
    if (this.#requests.waiting < WAITING_MAX) return undefined;
    return new RpcError('LimitExceeded', 'too many block requests wait');
  }
}

function throwFailure(packet: Packet): void {
  if (packet.status === BLOCK_STATUS.ok) return;
  const code = codeOfStatus(packet.status);
  throw blockError(code, `block request failed: ${code}`);
}

function checkInfo({ blockSize, blockCount }: BlockInfo): void {
  const powerOfTwo = blockSize >= 1 && Number.isInteger(Math.log2(blockSize));
  if (!powerOfTwo || !Number.isSafeInteger(blockCount * blockSize)) {
    throw blockError('Invalid', `a device of ${blockCount} blocks of ${blockSize} bytes cannot be`);
  }
}
