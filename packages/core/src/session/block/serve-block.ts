/**
 * The server's side of a Block session: takes requests out of the packet stream, checks them
 * against the session's view, and hands sound ones to a `BlockBackend` under the device's own block
 * numbers. Whatever the client puts into the stream, the backend sees none but valid requests, and
 * every request that was taken is acknowledged. The client is told when the device changes.
 *
 *     env.provide(Block, (session) =>
 *       serveBlock(session, disk, { writeable: blockPolicy(env.config.read(CONFIG), session.label) }),
 *     );
 */
import { assert } from '../../errors.ts';
import type { Implementation, ServerStreams } from '../../interface/interface.ts';
import { Packet, PACKET_STATUS, PacketService, type PacketSink } from '../../packet-stream/index.ts';
import { type Block, type BlockInfo, BLOCK_NOTICE, BLOCK_OPERATION, BLOCK_STATUS } from './declaration.ts';
import type { SessionArguments } from '../parent.ts';
import type { BlockAnswer, BlockBackend } from './block-backend.ts';
import { type BlockView, blockView, infoOfView } from './block-view.ts';
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
      const { first, grows } = view;
      const count = grows && backend.onInfoChanged ? Number.MAX_SAFE_INTEGER - first : view.count;
      sink.watch?.serves(backend, { first, count, blockBytes: backend.info.blockSize });
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
  readonly #backend: BlockBackend;
  readonly #view: BlockView;
  readonly #packets: PacketService<ServedRequest>;
  readonly #notice = new Packet();
  readonly #listening: readonly ((() => void) | undefined)[];
  #info: BlockInfo;
  /** Whether the client has to be told that the device has changed. */
  #changed = false;

  constructor(backend: BlockBackend, view: BlockView, inFlightMax?: number) {
    this.#info = infoOfView(backend.info, view);
    this.#backend = backend;
    this.#view = view;
    const end = (request: ServedRequest, status: number): void => this.#packets.end(request, status, 0);
    const make = (): ServedRequest => new ServedRequest(end);
    const begin = (sink: PacketSink, request: ServedRequest): 'later' | undefined =>
      this.#begin(sink, request);
    const notices = (sink: PacketSink): void => this.#notify(sink);
    this.#packets = new PacketService({ make, begin, notices }, inFlightMax);
    this.#listening = [
      backend.onInfoChanged?.(() => this.#look()),
      backend.onReady?.(() => this.#packets.retry()),
    ];
  }

  /** The device as the session shows it now. */
  get info(): BlockInfo {
    return this.#info;
  }

  /** Starts to serve. A server has one stream. */
  serve(sink: PacketSink): void {
    this.#packets.serve(sink);
    if (this.#changed) this.#packets.notify();
  }

  /** Takes no more requests. Settles when the backend has ended those that it has. */
  close(): Promise<void> {
    for (const end of this.#listening) end?.();
    return this.#packets.close();
  }

  #look(): void {
    const info = infoOfView(this.#backend.info, this.#view);
    const { blockCount, writeable } = this.#info;
    if (info.blockCount === blockCount && info.writeable === writeable) return;
    this.#info = info;
    this.#changed = true;
    this.#packets.notify();
  }

  #notify(sink: PacketSink): void {
    if (!this.#changed) return;
    const notice = this.#notice.clear();
    notice.operation = BLOCK_NOTICE.info;
    notice.status = PACKET_STATUS.ok;
    notice.position = this.#info.blockCount;
    notice.argument = this.#info.writeable ? 1 : 0;
    if (sink.notify(notice)) this.#changed = false;
  }

  #begin(sink: PacketSink, request: ServedRequest): 'later' | undefined {
    const refusal = this.#check(request);
    if (refusal !== undefined) {
      this.#packets.end(request, refusal, 0);
      return undefined;
    }
    const later = request.offer(() => this.#perform(sink, request));
    // Nobody would ever offer it again.
    assert(
      later === undefined || this.#backend.onReady !== undefined || this.#packets.underWay > 1,
      'a backend without onReady answers RETRY only while it works on another request',
    );
    return later;
  }

  /** The status with which a request must be refused; `undefined` if it is sound. */
  #check({ packet }: ServedRequest): number | undefined {
    const { operation, position, count, size } = packet;
    const { blockSize, blockCount, writeable } = this.#info;
    const inRange = position <= blockCount && count <= blockCount - position;
    switch (operation) {
      case BLOCK_OPERATION.read:
      case BLOCK_OPERATION.write:
        if (count === 0 || size !== count * blockSize) return BLOCK_STATUS.invalid;
        if (!inRange) return BLOCK_STATUS.outOfRange;
        break;
      case BLOCK_OPERATION.trim:
      case BLOCK_OPERATION.writeZeroes:
        if (!inRange) return BLOCK_STATUS.outOfRange;
        break;
      case BLOCK_OPERATION.sync:
        break;
      default:
        return BLOCK_STATUS.invalid;
    }
    return operation === BLOCK_OPERATION.read || writeable ? undefined : BLOCK_STATUS.readOnly;
  }

  #perform(sink: PacketSink, { packet }: ServedRequest): BlockAnswer {
    const block = this.#view.first + packet.position;
    switch (packet.operation) {
      case BLOCK_OPERATION.read:
        return this.#backend.read(block, packet.count, sink.payload(packet));
      case BLOCK_OPERATION.write:
        return this.#backend.write(block, packet.count, sink.payload(packet));
      case BLOCK_OPERATION.trim:
        return packet.count > 0 ? this.#backend.trim(block, packet.count) : undefined;
      case BLOCK_OPERATION.writeZeroes:
        return packet.count > 0 ? this.#backend.writeZeroes(block, packet.count) : undefined;
      default:
        return this.#backend.sync();
    }
  }
}
