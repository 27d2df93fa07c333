/**
 * Finds clients that read one block after the other, and predicts the blocks that they will want
 * next. Any number of clients may read at the same time: a few sequences are followed, and a new
 * one replaces the sequence that was not continued for longest.
 *
 * The window, how far to be ahead, doubles with each request that was foreseen, up to a bound. The
 * bound is halved when much of what was brought in leaves the cache unread, and doubles when much
 * is read. A sequence that has become long is a scan: it is unlikely to come back to what it has
 * read, so its chunks only pass by.
 */

/** The number of sequences that are followed. */
const SEQUENCES = 8;
const FIRST_WINDOW = 8;
const LARGEST_WINDOW = 64;
/** A sequence of so many chunks, and of this part of the cache, is a scan. */
const SCAN_CHUNKS_MIN = 256;
const SCAN_PART = 8;
/** After so many chunks the bound of the window is looked at. */
const JUDGED_CHUNKS = 64;

interface Sequence {
  /** The block that would continue it. */
  next: number;
  /** The number of chunks to be ahead; 0 until a second request has continued the sequence. */
  window: number;
  /** The end of the chunks that have been asked for. */
  end: number;
  /** The chunk where it began. */
  start: number;
  lastUse: number;
}

export class ReadAhead {
  /** What the last request, told by `note`, leads to: chunks to bring in. */
  first = 0;
  count = 0;
  /** Whether it belongs to a scan. */
  scan = false;
  readonly #blocksPerChunk: number;
  readonly #sequences: Sequence[] = [];
  readonly #slots: () => number;
  #bound = LARGEST_WINDOW;
  #uses = 0;
  #used = 0;
  #wasted = 0;
  #usedAtJudgement = 0;
  #wastedAtJudgement = 0;

  /**
   * `slots` tells the number of chunks in the cache: the chunks brought in must not push out those
   * that are being read.
   */
  constructor(slots: () => number, blocksPerChunk: number) {
    this.#slots = slots;
    this.#blocksPerChunk = blocksPerChunk;
  }

  /** The number of chunks that were brought in and then read, and that left the cache unread. */
  get used(): number {
    return this.#used;
  }

  get wasted(): number {
    return this.#wasted;
  }

  /** A chunk that was brought in ahead has been read, or leaves unread. */
  judge(used: boolean): void {
    if (used) this.#used++;
    else this.#wasted++;
    const usedNow = this.#used - this.#usedAtJudgement;
    const wastedNow = this.#wasted - this.#wastedAtJudgement;
    if (usedNow + wastedNow < JUDGED_CHUNKS) return;
    if (wastedNow > usedNow) this.#bound = Math.max(1, this.#bound / 2);
    else if (wastedNow * 4 < usedNow) this.#bound = Math.min(LARGEST_WINDOW, this.#bound * 2);
    this.#usedAtJudgement = this.#used;
    this.#wastedAtJudgement = this.#wasted;
  }

  /** A request reads `count` blocks from `block` on: sets `first`, `count` and `scan`. */
  note(block: number, count: number): void {
    this.count = 0;
    this.scan = false;
    const windowMax = Math.min(this.#bound, Math.floor(this.#slots() / (2 * SEQUENCES)));
    if (windowMax === 0) return;
    const next = block + count;
    const chunkBehind = Math.ceil(next / this.#blocksPerChunk);
    const sequence = this.#sequenceAt(block);
    if (sequence === undefined) return this.#begin(block, next, chunkBehind);
    sequence.lastUse = ++this.#uses;
    sequence.next = next;
    sequence.end = Math.max(sequence.end, chunkBehind);
    const length = chunkBehind - sequence.start;
    this.scan = length >= SCAN_CHUNKS_MIN && length >= this.#slots() / SCAN_PART;
    if (sequence.end - chunkBehind > sequence.window / 2) return;
    sequence.window = Math.min(windowMax, Math.max(FIRST_WINDOW, 2 * sequence.window));
    this.first = sequence.end;
    this.count = Math.max(0, chunkBehind + sequence.window - sequence.end);
    sequence.end += this.count;
  }

  #sequenceAt(block: number): Sequence | undefined {
    for (let at = 0; at < this.#sequences.length; at++) {
      const sequence = this.#sequences[at];
      if (sequence !== undefined && sequence.next === block) return sequence;
    }
    return undefined;
  }

  #begin(block: number, next: number, end: number): void {
    const start = Math.floor(block / this.#blocksPerChunk);
    const lastUse = ++this.#uses;
    if (this.#sequences.length < SEQUENCES) {
      this.#sequences.push({ next, window: 0, end, start, lastUse });
      return;
    }
    let oldest = this.#sequences[0];
    for (let at = 1; at < SEQUENCES; at++) {
      const sequence = this.#sequences[at];
      if (sequence && oldest && sequence.lastUse < oldest.lastUse) oldest = sequence;
    }
    if (oldest === undefined) return;
    oldest.next = next;
    oldest.window = 0;
    oldest.end = end;
    oldest.start = start;
    oldest.lastUse = lastUse;
  }
}
