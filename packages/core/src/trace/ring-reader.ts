/** An end of a trace ring that reads, while the traced component writes or after it has died. */
import { copyInto } from '../memory/copy-into.ts';
import {
  NO_SEGMENT,
  RING_MAGIC,
  RING_WORD,
  SEGMENT_HEAD_WORDS,
  SEGMENT_HEADS_AT,
  SEGMENT_WORD,
  SEGMENTS,
  SEGMENTS_AT_BYTES,
  segmentBytesOf,
} from './ring-layout.ts';

/** Some entries, and how many events between these and the last ones were overwritten before. */
export interface RingPart {
  readonly entries: Uint8Array;
  readonly lost: number;
}

/**
 * Reads each entry once. Whoever writes may be hostile: whatever it writes, `read` ends, and copies
 * no more than the size of the ring.
 */
export class RingReader {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #segmentBytes: number;
  /** The segment to be read next, and how much of it was read. */
  #segment = 0;
  #at = 0;
  /** The sequence number of the entry to be read next. */
  #next = 0;

  /** Reads memory of this size, which the writer has taken into use or will. */
  constructor(memory: ArrayBufferLike, sizeBytes: number) {
    this.#words = new Int32Array(memory, 0, Math.floor(sizeBytes / 4));
    this.#bytes = new Uint8Array(memory, 0, sizeBytes);
    this.#segmentBytes = segmentBytesOf(sizeBytes);
  }

  /** What has come since the last time. */
  read(): RingPart {
    const parts: Uint8Array[] = [];
    let lost = 0;
    const words = this.#words;
    const inUse =
      Atomics.load(words, RING_WORD.magic) === RING_MAGIC &&
      words[RING_WORD.segmentBytes] === this.#segmentBytes;
    if (!inUse) return { entries: new Uint8Array(0), lost: 0 };
    for (let looked = 0; looked <= 2 * SEGMENTS; looked++) {
      const newest = Atomics.load(words, RING_WORD.newest);
      const behind = (newest - this.#segment) >>> 0;
      // A segment that is about to be overwritten is left alone.
      if (behind >= SEGMENTS) {
        this.#segment = (newest - SEGMENTS + 1) | 0;
        this.#at = 0;
      }
      const part = this.#readSegment();
      if (part) {
        lost += part.lost;
        if (part.entries.length > 0) parts.push(part.entries);
      }
      if (this.#segment === newest) break;
      this.#segment = (this.#segment + 1) | 0;
      this.#at = 0;
    }
    return { entries: joined(parts), lost };
  }

  /** What is new in the segment; `undefined` if it was overwritten while it was looked at. */
  #readSegment(): RingPart | undefined {
    const slot = this.#segment & (SEGMENTS - 1);
    const head = SEGMENT_HEADS_AT + slot * SEGMENT_HEAD_WORDS;
    const number = Atomics.load(this.#words, head + SEGMENT_WORD.number);
    if (number !== this.#segment || number === NO_SEGMENT) return undefined;
    const first = Atomics.load(this.#words, head + SEGMENT_WORD.firstSequence);
    const used = Atomics.load(this.#words, head + SEGMENT_WORD.usedBytes);
    if (used < this.#at || used > this.#segmentBytes || used % 8 !== 0) return undefined;
    const from = SEGMENTS_AT_BYTES + slot * this.#segmentBytes;
    const entries = new Uint8Array(used - this.#at);
    copyInto(entries, this.#bytes.subarray(from + this.#at, from + used));
    if (Atomics.load(this.#words, head + SEGMENT_WORD.number) !== number) return undefined;
    const lost = this.#at === 0 ? (first - this.#next) >>> 0 : 0;
    if (this.#at === 0) this.#next = first;
    this.#at = used;
    this.#next = (this.#next + countOf(entries)) | 0;
    return { entries, lost };
  }
}

/** The number of entries; what cannot be right ends the count, and what follows it is lost. */
function countOf(entries: Uint8Array): number {
  const view = new DataView(entries.buffer, entries.byteOffset, entries.byteLength);
  let count = 0;
  for (let at = 0; at + 8 <= entries.byteLength; count++) {
    const length = view.getUint32(at, true);
    if (length < 8 || at + length > entries.byteLength) break;
    at += length;
  }
  return count;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  if (only && parts.length === 1) return only;
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
