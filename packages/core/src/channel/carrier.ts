/**
 * A carrier moves frames between two components, in order and whole. It is all that differs between two threads,
 * two processes and two machines; everything above it is the same code.
 */

import type { MemoryPiece, MemorySharing } from '../memory/shared-memory.ts';

/** Memory that travels beside a frame, by reference. Empty on a carrier that shares none. */
export type SharedMemory = readonly MemoryPiece[];

/** One end of a two-way carrier. */
export interface Carrier {
  /** Which memory may travel beside a frame by reference. */
  readonly sharing: MemorySharing;
  /**
   * Takes a frame for delivery, as a copy: the caller uses its memory again. Ignored once closed. True if the frame has to
   * wait for room; then `left` is called when it is on its way, unless the carrier is closed before.
   */
  send(frame: Uint8Array, memory: SharedMemory, left?: () => void): boolean;
  /**
   * Where arriving frames go; set once, by the channel. Frames that arrive earlier wait. A frame is valid until the handler
   * returns: the carrier uses its memory again, so what is to be kept is copied.
   */
  receive(handler: (frame: Uint8Array, memory: SharedMemory) => void): void;
  /** Told once when the other end is closed or gone, with the reason if it is a special one; set once, by the channel. */
  closed(handler: (reason?: string) => void): void;
  /** Ends the carrier at both ends; `accused` if the other end has broken the protocol. */
  close(accused?: boolean): void;
}
