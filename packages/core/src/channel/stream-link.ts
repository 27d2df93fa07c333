/**
 * Packet streams on a channel. The server answers a session's `$open` with `StreamOffer`s; encoding one opens a
 * stream on that channel, and the other side finds a `StreamTicket` in its place. Each end then has a `StreamLink`
 * over the channel's frames, with memory that both see, or of its own where the carrier shares none.
 */
import { RpcError } from '../errors.ts';
import type { StreamLink } from '../packet_stream/index.ts';

/** A stream that its offerer is ready to serve, of `memoryBytes`; `attach` gets our end once it is opened. */
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
  readonly #memory: SharedArrayBuffer | undefined;
  readonly #link: (memory: SharedArrayBuffer | ArrayBuffer) => ChannelStream;

  constructor(
    memory: SharedArrayBuffer | undefined,
    link: (memory: SharedArrayBuffer | ArrayBuffer) => ChannelStream,
  ) {
    this.#memory = memory;
    this.#link = link;
  }

  /** Our end, if the peer offers exactly the memory that was asked for. */
  take(memoryBytes: number): StreamLink {
    if (this.#memory && this.#memory.byteLength !== memoryBytes) {
      throw new RpcError('InternalError', `the server offers a stream of ${this.#memory.byteLength} bytes`);
    }
    return this.#link(this.#memory ?? new ArrayBuffer(memoryBytes));
  }
}

const EARLY_FRAMES = 16;

/** One end of a stream on a channel. */
export class ChannelStream implements StreamLink {
  readonly memory: SharedArrayBuffer | ArrayBuffer;
  readonly shared: boolean;
  readonly #send: (frame: Uint8Array) => void;
  readonly #close: () => void;
  /** Frames that came before this end had a receiver: bounded, as nothing but first credits may come so early. */
  readonly #early: Uint8Array[] = [];
  #receive: ((frame: Uint8Array) => void) | undefined;
  #closed: (() => void) | undefined;
  #ended = false;

  constructor(memory: SharedArrayBuffer | ArrayBuffer, send: (frame: Uint8Array) => void, close: () => void) {
    this.memory = memory;
    this.shared = memory instanceof SharedArrayBuffer;
    this.#send = send;
    this.#close = close;
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

  /** Called at once if the link has ended before anybody looked. */
  set closed(handler: (() => void) | undefined) {
    this.#closed = handler;
    if (this.#ended) handler?.();
  }

  send(frame: Uint8Array): void {
    if (!this.#ended) this.#send(frame);
  }

  /** For the channel: a frame of the peer's end. */
  deliver(frame: Uint8Array): void {
    if (this.#ended) return;
    if (this.#receive) this.#receive(frame);
    else if (this.#early.length < EARLY_FRAMES) this.#early.push(frame.slice());
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

  /** This end needs the stream no more; the other end is told. */
  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#close();
  }
}
