/**
 * The server's side of a Block session: takes requests out of the packet stream, checks them
 * against the session's view, and hands sound ones to a `BlockBackend` under the device's own block
 * numbers. Whatever the client puts into the stream, the backend sees none but valid requests, and
 * every request that was taken is acknowledged.
 *
 *     env.provide(Block, (session) =>
 *       serveBlock(session, disk, { writeable: blockPolicy(env.config.read(CONFIG), session.label) }),
 *     );
 */
import type { Implementation, ServerStreams } from '../../interface/interface.ts';
import { PacketService, type PacketSink } from '../../packet-stream/index.ts';
import { type Block, type BlockInfo, BLOCK_OPERATION, BLOCK_STATUS } from './declaration.ts';
import type { SessionArguments } from '../parent.ts';
import type { BlockBackend } from './block-backend.ts';
import { type BlockView, blockView } from './block-view.ts';
import { ServedRequest } from './served-request.ts';

/** Options of `serveBlock`. */
export interface ServeBlockOptions {
  /**
   * Whether the server's policy lets this session write; the device and the client have a say too.
   * Default yes.
   */
  readonly writeable?: boolean;
  /**
   * How many requests the backend works on at a time. The default is also the limit: the slots of
   * the stream's queues.
   */
  readonly inFlightMax?: number;
  /**
   * Called when the session was closed and its last request has ended. Closing the session waits
   * for it.
   */
  readonly closed?: () => void | Promise<void>;
}

/** The part of a session request that is needed to serve it. */
export interface BlockSessionContext {
  readonly args: SessionArguments;
  readonly streams: ServerStreams<typeof Block>;
}

/**
 * Serves `backend` to one client. Throws `DENIED` if the session arguments ask for more than the
 * device has.
 */
export function serveBlock(
  session: BlockSessionContext,
  backend: BlockBackend,
  options: ServeBlockOptions = {},
): Implementation<typeof Block> {
  const view = blockView(backend.info, session.args, options.writeable);
  const server = new BlockServer(backend, view, options.inFlightMax);
  session.streams.tx.then(
    (sink) => {
      sink.watch?.serves(backend, { ...view, blockBytes: backend.info.blockSize });
      server.serve(sink);
    },
    // The client has never opened its stream.
    () => {},
  );
  return {
    info: () => server.info,
    [Symbol.asyncDispose]: async () => {
      await server.close();
      await options.closed?.();
    },
  };
}

/** Serves one packet stream. */
export class BlockServer {
  readonly info: BlockInfo;
  readonly #backend: BlockBackend;
  readonly #view: BlockView;
  readonly #packets: PacketService<ServedRequest>;

  constructor(backend: BlockBackend, view: BlockView, inFlightMax?: number) {
    this.info = { ...backend.info, blockCount: view.count, writeable: view.writeable };
    this.#backend = backend;
    this.#view = view;
    const end = (request: ServedRequest, status: number): void => this.#packets.end(request, status, 0);
    const make = (): ServedRequest => new ServedRequest(end);
    const begin = (sink: PacketSink, request: ServedRequest): void => this.#begin(sink, request);
    this.#packets = new PacketService({ make, begin }, inFlightMax);
  }

  /** Starts to serve. A server has one stream. */
  serve(sink: PacketSink): void {
    this.#packets.serve(sink);
  }

  /** Takes no more requests. Settles when the backend has ended those that it has. */
  close(): Promise<void> {
    return this.#packets.close();
  }

  #begin(sink: PacketSink, request: ServedRequest): void {
    const refusal = this.#check(request);
    if (refusal !== undefined) this.#packets.end(request, refusal, 0);
    else request.run(() => this.#perform(sink, request));
  }

  /** The status with which a request must be refused; `undefined` if it is sound. */
  #check({ packet }: ServedRequest): number | undefined {
    const { operation, position, count, size } = packet;
    const { blockSize, blockCount, writeable } = this.info;
    const inRange = position <= blockCount && count <= blockCount - position;
    switch (operation) {
      case BLOCK_OPERATION.read:
      case BLOCK_OPERATION.write:
        if (count === 0 || size !== count * blockSize) return BLOCK_STATUS.invalid;
        if (!inRange) return BLOCK_STATUS.outOfRange;
        break;
      case BLOCK_OPERATION.trim:
        if (!inRange) return BLOCK_STATUS.outOfRange;
        break;
      case BLOCK_OPERATION.sync:
        break;
      default:
        return BLOCK_STATUS.invalid;
    }
    return operation === BLOCK_OPERATION.read || writeable ? undefined : BLOCK_STATUS.readOnly;
  }

  #perform(sink: PacketSink, { packet }: ServedRequest): void | Promise<void> {
    const block = this.#view.first + packet.position;
    switch (packet.operation) {
      case BLOCK_OPERATION.read:
        return this.#backend.read(block, packet.count, sink.payload(packet));
      case BLOCK_OPERATION.write:
        return this.#backend.write(block, packet.count, sink.payload(packet));
      case BLOCK_OPERATION.trim:
        return packet.count > 0 ? this.#backend.trim(block, packet.count) : undefined;
      default:
        return this.#backend.sync();
    }
  }
}
