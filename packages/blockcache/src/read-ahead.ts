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

/** What no request begins with. */
const NO_BLOCK = -1;

export class ReadAhead {
  /** What the last request, told by `note`, leads to: chunks to bring in. */
  first = 0;
  count = 0;
  /** Whether it belongs to a scan. */
  scan = false;
  readonly #blocksPerChunk: number;
  // Of each sequence: the block that would continue it; the number of chunks to be ahead, 0 until a
  // second request has continued it; the end of the chunks that have been asked for; the chunk
  // where it began; and when it was continued last. In typed arrays, as every request goes through
  // them.
  readonly #next = new Float64Array(SEQUENCES).fill(NO_BLOCK);
  readonly #window = new Float64Array(SEQUENCES);
  readonly #end = new Float64Array(SEQUENCES);
  readonly #start = new Float64Array(SEQUENCES);
  readonly #lastUse = new Float64Array(SEQUENCES);
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
    const at = this.#sequenceAt(block);
    if (at < 0) return this.#begin(block, next, chunkBehind);
    this.#lastUse[at] = ++this.#uses;
    this.#next[at] = next;
    const end = Math.max(this.#end[at] ?? 0, chunkBehind);
    const length = chunkBehind - (this.#start[at] ?? 0);
    this.#end[at] = end;
    this.scan = length >= SCAN_CHUNKS_MIN && length >= this.#slots() / SCAN_PART;
    const window = this.#window[at] ?? 0;
    if (end - chunkBehind > window / 2) return;
    const wider = Math.min(windowMax, Math.max(FIRST_WINDOW, 2 * window));
    this.#window[at] = wider;
    this.first = end;
    this.count = Math.max(0, chunkBehind + wider - end);
    this.#end[at] = end + this.count;
  }

  /** The sequence that a request from `block` on would continue; -1 if there is none. */
  #sequenceAt(block: number): number {
    for (let at = 0; at < SEQUENCES; at++) if (this.#next[at] === block) return at;
    return -1;
  }

  #begin(block: number, next: number, end: number): void {
    let oldest = 0;
    for (let at = 1; at < SEQUENCES; at++) {
      if ((this.#lastUse[at] ?? 0) < (this.#lastUse[oldest] ?? 0)) oldest = at;
    }
    this.#next[oldest] = next;
    this.#window[oldest] = 0;
    this.#end[oldest] = end;
    this.#start[oldest] = Math.floor(block / this.#blocksPerChunk);
    this.#lastUse[oldest] = ++this.#uses;
  }
}
