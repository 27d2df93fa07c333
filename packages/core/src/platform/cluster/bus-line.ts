/**
 * A node's line to the others, as whoever runs components sees it: channels to nodes by their
 * public keys, each with a ticket that says what it is for. The connection itself is held
 * elsewhere: by a process of its own, or by a simulated world.
 */
import type { Carrier } from '../../channel/carrier.ts';

/** Is told of what others do. */
export interface BusLineOwner {
  /** A linked node opens a channel; the result says why it is not wanted, if it is not. */
  opened(peer: string, ticket: string, carrier: Carrier): string | undefined;
  /** A link is up. `about` is what the node says of itself. */
  linked(peer: string, about: string): void;
  /** A link has ended, and all channels of it. */
  unlinked(peer: string, reason: string): void;
}

/** One node's line. */
export interface BusLine {
  readonly publicKey: string;
  /** Sets the owner; once, before anything else. */
  listen(owner: BusLineOwner): void;
  /**
   * The nodes with which links are wanted from now on; all others are refused. A node with a key of
   * `single` is refused while another one that has the same key is linked.
   */
  admit(keys: readonly string[], single?: readonly string[]): void;
  /** Opens a channel. Frames may be sent at once; it ends if the node cannot be reached. */
  open(peer: string, ticket: string): Carrier;
}

/** The channel of two components on different nodes, as one of the nodes makes it. */
export interface BusWay {
  /** The public key of the other node. */
  readonly key: string;
  readonly ticket: string;
  /** Whether this end opens the channel; otherwise it takes the one that the other end opens. */
  readonly opens: boolean;
}

/** Tickets of channels between components begin with this word. */
export const CHANNEL_TICKET = 'channel ';
