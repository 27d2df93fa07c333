/** The packet streams of one channel: by number, and by which end opened them. */
import { RpcError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { MemoryPiece, MemorySharing } from '../memory/shared-memory.ts';
import { FrameKind } from './frame.ts';
import { ChannelStream, type StreamOffer, StreamTicket } from './stream-link.ts';

/**
 * Sends a frame of a stream: its id, which end sends it, and the bytes for the stream's other end.
 */
type SendStreamFrame = (
  kind: typeof FrameKind.stream | typeof FrameKind.streamClosed,
  id: number,
  side: number,
  payload?: Uint8Array,
) => void;

/** The streams of one end of a channel. */
export class ChannelStreams {
  /** The streams that this end opened, and those that the peer opened. Each end numbers its own. */
  readonly #ours = new Map<number, ChannelStream>();
  readonly #theirs = new Map<number, ChannelStream>();
  readonly #peer: number;
  readonly #send: SendStreamFrame;
  readonly #hurry: () => void;
  #nextId = 1;

  /** `hurry` has the peer look at what was sent. */
  constructor(peer: number, send: SendStreamFrame, hurry: () => void) {
    this.#peer = peer;
    this.#send = send;
    this.#hurry = hurry;
  }

  /** Opens a stream for the peer and attaches the offerer's end. */
  open(offer: StreamOffer, sharing: MemorySharing): { id: number; memory: MemoryPiece | undefined } {
    if (this.#ours.size >= LIMITS.streamsPerChannel) throw new RpcError('LimitExceeded', 'too many streams');
    const id = this.#nextId++;
    const memory = sharing.allocate(offer.memoryBytes);
    const stream = this.#add(this.#ours, id, 0);
    stream.use(memory, offer.memoryBytes, sharing);
    offer.attach(stream);
    return { id, memory };
  }

  /** Takes note of a stream that the peer has opened. Frames for it may come before it is used. */
  ticket(id: number, memory: MemoryPiece | undefined, sharing: MemorySharing): StreamTicket {
    if (this.#theirs.has(id) || this.#theirs.size >= LIMITS.streamsPerChannel) {
      throw new RpcError('InvalidArgument', 'malformed message: stream');
    }
    return new StreamTicket(memory, sharing, this.#add(this.#theirs, id, 1));
  }

  /**
   * Hands a frame to its stream. `opener` says that it comes from the end that opened the stream. A
   * frame for an unknown stream is late: the stream is closed.
   */
  deliver(id: number, opener: boolean, payload: Uint8Array): void {
    (opener ? this.#theirs : this.#ours).get(id)?.deliver(payload);
  }

  /** The peer has closed its end. */
  closedByPeer(id: number, opener: boolean): void {
    const streams = opener ? this.#theirs : this.#ours;
    const stream = streams.get(id);
    streams.delete(id);
    stream?.end();
  }

  /** The channel is gone. */
  end(): void {
    const all = [...this.#ours.values(), ...this.#theirs.values()];
    this.#ours.clear();
    this.#theirs.clear();
    for (const stream of all) stream.end();
  }

  #add(streams: Map<number, ChannelStream>, id: number, side: number): ChannelStream {
    const stream = new ChannelStream(
      { peer: this.#peer, number: id },
      {
        send: (frame) => this.#send(FrameKind.stream, id, side, frame),
        hurry: this.#hurry,
        close: () => {
          streams.delete(id);
          this.#send(FrameKind.streamClosed, id, side);
        },
      },
    );
    streams.set(id, stream);
    return stream;
  }
}
