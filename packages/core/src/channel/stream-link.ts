/**
 * Packet streams on a channel. A server answers a session's `$open` with a `StreamOffer` for each
 * stream. Encoding an offer opens a stream on the channel, and the other side finds a
 * `StreamTicket` in its place. Then each end has a `StreamLink` over the channel's frames. Its
 * memory is shared by both ends, or each end has its own where the carrier shares none.
 */
import { assert, RpcError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { hasSize, type MemoryPiece, type MemorySharing } from '../memory/shared-memory.ts';
import { FRAME_BYTES_MAX, type StreamLink, type StreamPlace } from '../packet-stream/index.ts';

/**
 * A stream of `memoryBytes` that the server is ready to serve. `attach` gets the server's end when
 * the client has opened it.
 */
export class StreamOffer {
  readonly memoryBytes: number;
  readonly attach: (link: StreamLink) => void;

  constructor(memoryBytes: number, attach: (link: StreamLink) => void) {
    this.memoryBytes = memoryBytes;
    this.attach = attach;
  }
}

/** A stream that the peer has opened for us. */
export class StreamTicket {
  readonly #memory: MemoryPiece | undefined;
  readonly #sharing: MemorySharing;
  readonly #stream: ChannelStream;

  constructor(memory: MemoryPiece | undefined, sharing: MemorySharing, stream: ChannelStream) {
    this.#memory = memory;
    this.#sharing = sharing;
    this.#stream = stream;
  }

  /** Our end, once. Throws unless the peer offers exactly the memory that was asked for. */
  take(memoryBytes: number): StreamLink {
    const memory = this.#memory;
    if (memory && !hasSize(memory, memoryBytes)) {
      this.#stream.close();
      throw new RpcError('InternalError', `the server offers a stream of ${memory.buffer.byteLength} bytes`);
    }
    this.#stream.use(memory, memoryBytes, this.#sharing);
    return this.#stream;
  }

  /** Nobody uses the stream, and it is closed. */
  refuse(): void {
    this.#stream.close();
  }
}

/** One end of a stream on a channel. */
export class ChannelStream implements StreamLink {
  #memory: SharedArrayBuffer | ArrayBuffer | undefined;
  readonly place: StreamPlace;
  readonly #send: (frame: Uint8Array) => void;
  readonly #hurry: () => void;
  readonly #close: () => void;
  /**
   * Frames that came before this end was used. Bounded, because only the first credits may come so
   * early.
   */
  readonly #early: Uint8Array[] = [];
  #receive: ((frame: Uint8Array) => void) | undefined;
  #closed: (() => void) | undefined;
  #release: (() => void) | undefined;
  #ended = false;

  constructor(
    place: StreamPlace,
    { send, hurry, close }: { send: (frame: Uint8Array) => void; hurry: () => void; close: () => void },
  ) {
    this.place = place;
    this.#send = send;
    this.#hurry = hurry;
    this.#close = close;
  }

  /** Takes this end into use. */
  use(memory: MemoryPiece | undefined, memoryBytes: number, sharing: MemorySharing): void {
    assert(this.#memory === undefined, 'a stream is taken into use once');
    this.#memory = memory?.buffer ?? new ArrayBuffer(memoryBytes);
    if (memory) this.#release = () => sharing.release(memory);
  }

  release(): void {
    assert(this.#ended, 'the memory of a stream is released after its end');
    this.#release?.();
    this.#release = undefined;
  }

  get memory(): SharedArrayBuffer | ArrayBuffer {
    assert(this.#memory !== undefined, 'a stream has memory once it is in use');
    return this.#memory;
  }

  get shared(): boolean {
    return this.#memory instanceof SharedArrayBuffer;
  }

  get receive(): ((frame: Uint8Array) => void) | undefined {
    return this.#receive;
  }

  set receive(handler: ((frame: Uint8Array) => void) | undefined) {
    this.#receive = handler;
    if (handler) for (const frame of this.#early.splice(0)) handler(frame);
  }

  get closed(): (() => void) | undefined {
    return this.#closed;
  }

  /** Sets the handler of the link's end; called at once if that was before. */
  set closed(handler: (() => void) | undefined) {
    this.#closed = handler;
    if (this.#ended) handler?.();
  }

  send(frame: Uint8Array): void {
    if (!this.#ended) this.#send(frame);
  }

  hurry(): void {
    if (!this.#ended) this.#hurry();
  }

  /** For the channel: a frame of the peer's end. */
  deliver(frame: Uint8Array): void {
    if (this.#ended) return;
    if (this.#receive) this.#receive(frame);
    else if (this.#early.length < LIMITS.earlyStreamFrames && frame.byteLength <= FRAME_BYTES_MAX)
      this.#early.push(new Uint8Array(frame));
    else {
      this.close();
      this.#closed?.();
    }
  }

  /** For the channel: the peer's end, or the channel, is gone. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#closed?.();
  }

  /** This end does not need the stream any more, and the other end is told. */
  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#close();
  }
}
