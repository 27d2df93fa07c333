/**
 * What waits in the port of a component: nothing of Node says how much that is, and a component
 * that is busy takes nothing. So the component's thread counts what it takes, in memory that it
 * shares with whoever posts. The bound is that of frames in front of a full ring: a peer that keeps
 * to the rules of calls and streams stays below it, however slow the component is.
 */
import { LIMITS } from '../../limits.ts';
import { newPlace, type Place, wordsAt } from '../../memory/place.ts';

const FRAMES = 0;
const BYTES = 1;
const WORD_BYTES = 4;

/** Memory for the counts of one port. They are numbers of 32 bits that begin again. */
export function portCountMemory(): Place {
  return newPlace(2 * WORD_BYTES);
}

/** The end that takes. */
export class PortCount {
  readonly #words: Int32Array;

  constructor(taken: Place) {
    this.#words = wordsAt(taken);
  }

  /** A frame was taken. */
  add(bytes: number): void {
    Atomics.add(this.#words, FRAMES, 1);
    Atomics.add(this.#words, BYTES, bytes);
  }
}

/** The end that posts. */
export class WaitingInPort {
  readonly #words: Int32Array;
  #frames = 0;
  #bytes = 0;

  constructor(taken: Place) {
    this.#words = wordsAt(taken);
  }

  /** Whether one more frame may wait, which counts then. */
  fits(bytes: number): boolean {
    const frames = (this.#frames - Atomics.load(this.#words, FRAMES)) >>> 0;
    const waiting = (this.#bytes - Atomics.load(this.#words, BYTES)) >>> 0;
    if (frames >= LIMITS.ringWaitingFrames || waiting + bytes > LIMITS.ringWaitingBytes) return false;
    this.#frames = (this.#frames + 1) | 0;
    this.#bytes = (this.#bytes + bytes) | 0;
    return true;
  }
}
