/**
 * Finds those who read one block after the other, and says what they will want next. Any number of clients may read at a
 * time: a few sequences are followed, the one that was not continued for longest is given up for a new one.
 */

/** Sequences that are followed. */
const SEQUENCES = 8;
const FIRST_WINDOW = 8;
const LARGEST_WINDOW = 64;

interface Sequence {
  /** The block that would continue it. */
  next: number;
  /** Chunks to be ahead; 0 until a second request has continued it. */
  window: number;
  /** Chunks before this one have been asked for. */
  end: number;
  lastUse: number;
}

/** Chunks to bring in. */
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

  /** For a cache of `slots` chunks: what is brought in must not push out what is being read. */
  constructor(slots: number, blocksPerChunk: number) {
    this.#blocksPerChunk = blocksPerChunk;
    this.#windowMax = Math.min(LARGEST_WINDOW, Math.floor(slots / (2 * SEQUENCES)));
  }

  /** A request reads `count` blocks from `block` on. Returns what to bring in beyond them. */
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
