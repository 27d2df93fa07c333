/**
 * Watching a packet stream: the simulator does it to check the packets. Elsewhere nobody does, and
 * it costs one look at a field.
 */
import type { Packet } from './packet.ts';

/** Identifies a stream of a channel. The number is the same at both ends. */
export interface StreamPlace {
  /** The component at the other end. */
  readonly peer: number;
  readonly number: number;
}

/**
 * Sees the packets of the end that submits. `payload` is the packet's range of the bulk buffer,
 * valid during the call.
 */
export interface SourceWatch {
  /** A packet is queued, its payload complete. */
  submitted(packet: Packet, payload: Uint8Array): void;
  /** An acknowledgement is about to be handed over. */
  acknowledged(packet: Packet, payload: Uint8Array): void;
  /** The stream has ended. Requests that were not acknowledged never will be. */
  closed(): void;
}

/** Sees what passes at either end, while it is on. */
export interface StreamTrace {
  /** Looked at for each packet. */
  readonly on: boolean;
  submitted(packet: Packet): void;
  /** The acknowledgement of a request was sent, or was taken. */
  acknowledged(packet: Packet): void;
}

/** Sees the end that takes requests, as far as its server tells of them. */
export interface SinkWatch {
  /**
   * The stream shows `count` blocks of `device` from `first` on, as one of perhaps many views of
   * it.
   */
  serves(
    device: object,
    view: { readonly first: number; readonly count: number; readonly blockBytes: number },
  ): void;
  /** All requests that were taken are done, and no more are taken. */
  done(): void;
}
