/**
 * Frames that wait in front of a full ring, in order. A part of the first one may be in the ring
 * already.
 */
import type { SharedMemory } from '../../../channel/carrier.ts';
import { Fifo } from '../../../fifo.ts';

/** A frame that waits. */
export interface WaitingFrame {
  readonly frame: Uint8Array;
  /** The memory that travels beside it, and how many pieces of that are on their way already. */
  readonly memory: SharedMemory;
  memoryGone: number;
  /** Called when all of the frame is in the ring. */
  readonly left: (() => void) | undefined;
  /** How many bytes of it are in the ring already. */
  written: number;
}

/** A queue that knows its size in bytes. */
export class FrameQueue {
  readonly #frames = new Fifo<WaitingFrame>();
  #bytes = 0;

  get first(): WaitingFrame | undefined {
    return this.#frames.first;
  }

  get length(): number {
    return this.#frames.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(waiting: WaitingFrame): void {
    this.#frames.push(waiting);
    this.#bytes += waiting.frame.byteLength;
  }

  shift(): void {
    this.#bytes -= this.first?.frame.byteLength ?? 0;
    this.#frames.shift();
  }

  clear(): void {
    this.#frames.clear();
    this.#bytes = 0;
  }
}
