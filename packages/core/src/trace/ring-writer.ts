/** The end of a trace ring that writes: the traced component. */
import { assert } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { EVENT_HEAD_BYTES, entryBytes, type TraceContext } from './event.ts';
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

const encoder = new TextEncoder();

/** The content of an event: text or bytes. */
export type EventContent = string | Uint8Array;

/** Writes events, each over the oldest ones if there is no other room. */
export class RingWriter {
  readonly #words: Int32Array;
  readonly #times: Float64Array;
  readonly #bytes: Uint8Array;
  readonly #segmentBytes: number;
  #segment = 0;
  /** Where the current segment begins, and how much of it is used, in bytes. */
  #base = SEGMENTS_AT_BYTES;
  #used = 0;
  #sequence = 0;
  /** The newest entry, as an index of words. */
  #newest = -1;

  /** Takes zeroed memory into use, of `LIMITS.traceBufferBytesMin` at least. */
  constructor(memory: ArrayBufferLike, sizeBytes: number) {
    assert(sizeBytes >= LIMITS.traceBufferBytesMin, 'a trace buffer is large enough');
    this.#words = new Int32Array(memory, 0, Math.floor(sizeBytes / 4));
    this.#times = new Float64Array(memory, 0, Math.floor(sizeBytes / 8));
    this.#bytes = new Uint8Array(memory, 0, sizeBytes);
    this.#segmentBytes = segmentBytesOf(sizeBytes);
    const words = this.#words;
    for (let slot = 1; slot < SEGMENTS; slot++) {
      Atomics.store(words, headOf(slot) + SEGMENT_WORD.number, NO_SEGMENT);
    }
    words[RING_WORD.segmentBytes] = this.#segmentBytes;
    Atomics.store(words, RING_WORD.magic, RING_MAGIC);
  }

  /** The most bytes of content that an event can have here. */
  get contentBytesMax(): number {
    return Math.min(LIMITS.traceEventBytes, this.#segmentBytes - EVENT_HEAD_BYTES);
  }

  /**
   * Writes an event. The result is false, and nothing is written, if its content is longer than
   * `contentBytesMax` bytes, or than an event can be here.
   */
  write(
    hook: number,
    flags: number,
    peer: number,
    timeUs: number,
    bytes: number,
    context: TraceContext | undefined,
    content: EventContent,
    contentBytesMax: number,
  ): boolean {
    const encoded = typeof content === 'string' && !isAscii(content) ? encoder.encode(content) : content;
    const contentBytes = encoded.length;
    if (contentBytes > contentBytesMax || contentBytes > this.contentBytesMax) return false;
    const length = entryBytes(contentBytes);
    if (this.#used + length > this.#segmentBytes) this.#nextSegment();
    const atBytes = this.#base + this.#used;
    const at = atBytes >>> 2;
    const words = this.#words;
    words[at] = length;
    words[at + 1] = this.#sequence;
    words[at + 2] = hook | (flags << 8) | (contentBytes << 16);
    words[at + 3] = peer;
    this.#times[(atBytes >>> 3) + 2] = timeUs;
    words[at + 6] = bytes;
    words[at + 7] = 0;
    this.#writeContext(at + 8, context);
    this.#writeContent(atBytes + EVENT_HEAD_BYTES, encoded);
    this.#newest = at;
    this.#sequence = (this.#sequence + 1) | 0;
    this.#used += length;
    Atomics.store(words, headOf(this.#segment & (SEGMENTS - 1)) + SEGMENT_WORD.usedBytes, this.#used);
    return true;
  }

  /** Says how long the message of the newest event was, as soon as that is known. */
  sizeNewest(bytes: number): void {
    if (this.#newest >= 0) this.#words[this.#newest + 6] = bytes;
  }

  #writeContext(at: number, context: TraceContext | undefined): void {
    const words = this.#words;
    if (context === undefined) {
      for (let index = at; index < at + 8; index++) words[index] = 0;
      return;
    }
    const { trace, span, parent } = context;
    words[at] = trace[0];
    words[at + 1] = trace[1];
    words[at + 2] = trace[2];
    words[at + 3] = trace[3];
    words[at + 4] = span[0];
    words[at + 5] = span[1];
    words[at + 6] = parent[0];
    words[at + 7] = parent[1];
  }

  #writeContent(at: number, content: EventContent): void {
    if (typeof content !== 'string') {
      this.#bytes.set(content, at);
      return;
    }
    const bytes = this.#bytes;
    for (let index = 0; index < content.length; index++) bytes[at + index] = content.charCodeAt(index);
  }

  #nextSegment(): void {
    this.#segment = (this.#segment + 1) | 0;
    const slot = this.#segment & (SEGMENTS - 1);
    const head = headOf(slot);
    const words = this.#words;
    Atomics.exchange(words, head + SEGMENT_WORD.number, NO_SEGMENT);
    Atomics.store(words, head + SEGMENT_WORD.usedBytes, 0);
    Atomics.store(words, head + SEGMENT_WORD.firstSequence, this.#sequence);
    Atomics.store(words, head + SEGMENT_WORD.number, this.#segment);
    Atomics.store(words, RING_WORD.newest, this.#segment);
    this.#base = SEGMENTS_AT_BYTES + slot * this.#segmentBytes;
    this.#used = 0;
  }
}

function headOf(slot: number): number {
  return SEGMENT_HEADS_AT + slot * SEGMENT_HEAD_WORDS;
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 0x7f) return false;
  return true;
}
