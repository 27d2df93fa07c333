/**
 * Finds clients that read one block after the other, and predicts the blocks that they will want
 * next. Any number of clients may read at the same time: a few sequences are followed, and a new
 * one replaces the sequence that was not continued for longest.
 */

/** The number of sequences that are followed. */
const SEQUENCES = 8;
const FIRST_WINDOW = 8;
const LARGEST_WINDOW = 64;

interface Sequence {
  /** The block that would continue it. */
  next: number;
  /** The number of chunks to be ahead; 0 until a second request has continued the sequence. */
  window: number;
  /** The end of the chunks that have been asked for. */
  end: number;
  lastUse: number;
}

/** The chunks to bring in. */
export interface ReadAheadPlan {
  readonly first: number;
  readonly count: number;
}

const NOTHING: ReadAheadPlan = { first: 0, count: 0 };

export class ReadAhead {
  readonly #windowMax: number;
  readonly #blocksPerChunk: number;
  readonly #sequences: Sequence[] = [];
  #uses = 0;

  /**
   * `slots` is the number of chunks in the cache: the chunks brought in must not push out those
   * that are being read.
   */
  constructor(slots: number, blocksPerChunk: number) {
    this.#blocksPerChunk = blocksPerChunk;
    this.#windowMax = Math.min(LARGEST_WINDOW, Math.floor(slots / (2 * SEQUENCES)));
  }

  /** A request reads `count` blocks from `block` on. Returns the chunks to bring in beyond them. */
  plan(block: number, count: number): ReadAheadPlan {
    if (this.#windowMax === 0) return NOTHING;
    const next = block + count;
    const chunkBehind = Math.ceil(next / this.#blocksPerChunk);
    const sequence = this.#sequences.find((candidate) => candidate.next === block);
    if (sequence === undefined) {
      this.#begin(next, chunkBehind);
      return NOTHING;
    }
    this.#uses++;
    sequence.lastUse = this.#uses;
    sequence.next = next;
    sequence.end = Math.max(sequence.end, chunkBehind);
    if (sequence.end - chunkBehind > sequence.window / 2) return NOTHING;
    sequence.window = Math.min(this.#windowMax, Math.max(FIRST_WINDOW, 2 * sequence.window));
    const plan = { first: sequence.end, count: Math.max(0, chunkBehind + sequence.window - sequence.end) };
    sequence.end += plan.count;
    return plan;
  }

  #begin(next: number, end: number): void {
    this.#uses++;
    const fresh = { next, window: 0, end, lastUse: this.#uses };
    if (this.#sequences.length < SEQUENCES) {
      this.#sequences.push(fresh);
      return;
    }
    let oldest = 0;
    for (const [index, { lastUse }] of this.#sequences.entries()) {
      if (lastUse < (this.#sequences[oldest]?.lastUse ?? 0)) oldest = index;
    }
    this.#sequences[oldest] = fresh;
  }
}
