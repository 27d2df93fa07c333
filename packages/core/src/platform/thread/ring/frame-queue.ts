/**
 * Frames that wait in front of a full ring, in order. A part of the first one may be in the ring
 * already.
 */
import type { SharedMemory } from '../../../channel/carrier.ts';

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

/** Frames that were taken stay in the array until there are this many of them. */
const COMPACT_AT = 256;

/** A queue that knows its size in bytes. */
export class FrameQueue {
  #frames: WaitingFrame[] = [];
  #taken = 0;
  #bytes = 0;

  get first(): WaitingFrame | undefined {
    return this.#frames[this.#taken];
  }

  get length(): number {
    return this.#frames.length - this.#taken;
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
    this.#taken++;
    if (this.#taken === this.#frames.length) this.clear();
    else if (this.#taken >= COMPACT_AT && this.#taken * 2 >= this.#frames.length) {
      this.#frames = this.#frames.slice(this.#taken);
      this.#taken = 0;
    }
  }

  clear(): void {
    this.#frames = [];
    this.#taken = 0;
    this.#bytes = 0;
  }
}
