import type { Packet } from './packet.ts';
import type { StreamPlace } from './stream-watch.ts';

/**
 * The connection between the two ends of a stream: the only border between packet streams and
 * channels.
 *
 * The rules a link keeps: `send` neither throws nor calls the peer's `receive` before it has
 * returned; the frame's bytes are valid only during `send` (they are used again), so a link copies
 * what it does not write out at once; frames arrive whole and in order, and none after `closed`;
 * what arrives before `receive` is set is kept and delivered then.
 */
export interface StreamLink {
  /**
   * true: `memory` is the same memory at both ends, and frames are only doorbells of no length.
   * false: each end has memory of its own, and descriptors and payloads travel in frames.
   */
  readonly shared: boolean;
  /** Where the stream is, if it is on a channel. */
  readonly place?: StreamPlace;
  /** Zeroed when the stream is made; at least `streamMemoryBytes` long. */
  readonly memory: SharedArrayBuffer | ArrayBuffer;
  /** Hands one frame, of at most FRAME_BYTES_MAX bytes, to the peer's end. */
  send(frame: Uint8Array): void;
  /** Has the peer look at what was sent without delay, and not only when this turn is over. */
  hurry?(): void;
  /** The stream is finished with this link: the peer's end is told by its `closed`, ours is not. */
  close(): void;
  /**
   * This end will not look at its memory again: it may go before its views are collected. After the
   * end of the stream.
   */
  release(): void;
  /** Set once by the stream. */
  receive: ((frame: Uint8Array) => void) | undefined;
  /** Set once by the stream. Called when the peer closed the stream or is gone. */
  closed: (() => void) | undefined;
}

/**
 * Why a stream ended: by this end, by the other (or its death), or because the other broke the
 * rules.
 */
export type StreamClosure = 'closed' | 'peer gone' | 'invalid stream state';

/**
 * Which way payload bytes travel when memory is not shared, told by the session interface: how many
 * bytes from the start of the packet's range go along with its submission and with its
 * acknowledgement. More than `size` counts as `size`. Block: `submitBytes` is `size` for WRITE,
 * else 0.
 */
export interface PayloadDirection {
  submitBytes(packet: Packet): number;
  acknowledgeBytes(packet: Packet): number;
}
