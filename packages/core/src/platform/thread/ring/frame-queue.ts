/**
 * Frames that wait in front of a full ring, in order. The first may have been written in part.
 */
import type { SharedMemory } from '../../../channel/carrier.ts';

/** A frame that waits. */
export interface WaitingFrame {
  readonly frame: Uint8Array;
  /** Memory that travels beside it, and how many pieces of that are under way already. */
  readonly memory: SharedMemory;
  memoryGone: number;
  /** Told when all of it is in the ring. */
  readonly left: (() => void) | undefined;
  /** Bytes that are in the ring already. */
  written: number;
}

/** Taken frames are kept in the array until so many have come together. */
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
