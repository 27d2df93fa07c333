/**
 * The memory of a trace: a ring that its one writer, the traced component, overwrites, and that
 * others read while it is written. All numbers are little endian.
 *
 *     offset 0   u32  the magic number, once the ring is in use
 *            4   u32  bytes of one segment
 *            8   u32  number of the newest segment, counted from 0, modulo 2^32
 *     64         8 heads of segments, each: u32 number of the segment that is there now,
 *                u32 bytes of its entries that are complete, u32 sequence of its first entry, unused
 *     192        8 segments
 *
 * An entry never crosses the end of a segment; `event.ts` says what is in it. When a segment is
 * full the writer goes on in the oldest one: first it makes the number in its head invalid, then it
 * empties it, then it writes the new number. So a reader copies entries, looks at the number once
 * more, and throws the copy away if that has changed. Entries have sequence numbers, by which a
 * reader knows how many it has missed. The writer never reads what is in the memory, because it is
 * shared with the tracer, who is not trusted.
 */

export const RING_MAGIC = 0x6769_7472;
/** A power of two, so that numbers of segments may wrap. */
export const SEGMENTS = 8;
export const SEGMENT_HEADS_AT = 16;
export const SEGMENT_HEAD_WORDS = 4;
export const SEGMENTS_AT_BYTES = 64 + SEGMENTS * SEGMENT_HEAD_WORDS * 4;
/** Stands in the head of a segment that is being emptied; no number of a segment in its slot. */
export const NO_SEGMENT = -1;

/** Words of the head of the ring. */
export const RING_WORD = { magic: 0, segmentBytes: 1, newest: 2 } as const;
/** Words of the head of a segment. */
export const SEGMENT_WORD = { number: 0, usedBytes: 1, firstSequence: 2 } as const;

/** The bytes of one segment in memory of this size. */
export function segmentBytesOf(sizeBytes: number): number {
  return Math.floor((sizeBytes - SEGMENTS_AT_BYTES) / SEGMENTS / 8) * 8;
}
