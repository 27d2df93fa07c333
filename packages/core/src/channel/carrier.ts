/**
 * A carrier moves frames between two components, in order and whole. Two threads, two processes and
 * two machines differ in their carrier only; everything above it is the same code.
 */

import type { MemoryPiece, MemorySharing } from '../memory/shared-memory.ts';

/** Memory that travels beside a frame, by reference. Always empty on a carrier that shares none. */
export type SharedMemory = readonly MemoryPiece[];

/** One end of a two-way carrier. */
export interface Carrier {
  /** The memory that may travel beside a frame by reference. */
  readonly sharing: MemorySharing;
  /**
   * Sends a copy of a frame, so the caller may use its buffer again. Ignored once closed. True if
   * the frame has to wait for room: then `left` is called when it is on its way, unless the carrier
   * is closed before.
   */
  send(frame: Uint8Array, memory: SharedMemory, left?: () => void): boolean;
  /**
   * Has the other end look at what was sent without delay; otherwise it does when this turn is
   * over. For a turn that goes on for long. A carrier without it delays nothing.
   */
  hurry?(): void;
  /**
   * Sets the handler of arriving frames; the channel does that once. Frames that arrive earlier
   * wait. A frame is valid until the handler returns, because the carrier uses its buffer again:
   * copy what is to be kept.
   */
  receive(handler: (frame: Uint8Array, memory: SharedMemory) => void): void;
  /**
   * Sets the handler for the end; the channel does that once. It is called once, when the other end
   * is closed or gone, with the reason if that is a special one.
   */
  closed(handler: (reason?: string) => void): void;
  /** Closes the carrier at both ends. `accused` says that the other end has broken the protocol. */
  close(accused?: boolean): void;
}
