/**
 * Frames of one peer that are put aside, in their order, while the thread waits in a synchronous
 * call. Their number is bounded: a peer that keeps to the protocol has no more under way.
 */
import { LIMITS } from '../limits.ts';
import type { SharedMemory } from './carrier.ts';

/** A frame, as a copy, and the memory beside it. */
export interface DeferredFrame {
  readonly frame: Uint8Array;
  readonly memory: SharedMemory;
}

/** A bounded queue of frames. */
export class DeferredFrames {
  #frames: DeferredFrame[] = [];
  #taken = 0;
  #bytes = 0;

  get size(): number {
    return this.#frames.length - this.#taken;
  }

  /** Puts a copy of the frame behind the others. False if there are too many. */
  push(frame: Uint8Array, memory: SharedMemory): boolean {
    if (this.size >= LIMITS.deferredFrames) return false;
    if (this.#bytes + frame.byteLength > LIMITS.deferredBytes) return false;
    this.#frames.push({ frame: new Uint8Array(frame), memory });
    this.#bytes += frame.byteLength;
    return true;
  }

  shift(): DeferredFrame | undefined {
    const first = this.#frames[this.#taken];
    if (!first) return undefined;
    this.#taken++;
    this.#bytes -= first.frame.byteLength;
    if (this.#taken === this.#frames.length) this.clear();
    return first;
  }

  clear(): void {
    this.#frames = [];
    this.#taken = 0;
    this.#bytes = 0;
  }
}
