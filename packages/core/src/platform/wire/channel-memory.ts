/**
 * The shared memory of a channel between two threads, of one process or of two: two rings, and for
 * each end a word that says that it is closed, and why.
 *
 *     byte     0   u32 closed, end 0        4   u32 closed, end 1
 *             64   control of the ring from end 0 to end 1        192   control of the other one
 *            320   data of the ring from end 0 to end 1           320 + RING_BYTES   data of the other one
 */
import { assert } from '../../errors.ts';
import { newPlace, type Place } from '../../memory/place.ts';
import { RING_CONTROL_WORDS, ringMemory, type RingMemory } from './byte-ring.ts';

/** The number of an end of a channel. */
export type ChannelEnd = 0 | 1;

/** One end of a channel, as it is handed to a thread. */
export interface RingEnd {
  readonly end: ChannelEnd;
  readonly memory: Place;
  /** The slot of this channel at the doorbell of the peer's thread. */
  readonly peerSlot: number;
}

/** The size of the ring of one direction in bytes. Longer frames go through it in parts. */
export const RING_BYTES = 64 * 1024;

const CONTROL_OFFSET = 64;
const CONTROL_BYTES = RING_CONTROL_WORDS * 4;
const DATA_OFFSET = CONTROL_OFFSET + 2 * CONTROL_BYTES;

/** Bytes of a channel's memory. */
export const CHANNEL_BYTES = DATA_OFFSET + 2 * RING_BYTES;

/** Memory for a channel with rings of `ringBytes`, a power of two. */
export function channelMemory(ringBytes = RING_BYTES): Place {
  assert(ringBytes >= 256 && (ringBytes & (ringBytes - 1)) === 0, 'a ring has a power of two of bytes');
  return newPlace(DATA_OFFSET + 2 * ringBytes);
}

/** The ring that this end writes and the other one reads. */
export function ringFrom(memory: Place, end: ChannelEnd): RingMemory {
  const ringBytes = (memory.byteLength - DATA_OFFSET) / 2;
  const { buffer, byteOffset } = memory;
  const controlOffset = byteOffset + CONTROL_OFFSET + end * CONTROL_BYTES;
  return ringMemory(buffer, controlOffset, byteOffset + DATA_OFFSET + end * ringBytes, ringBytes);
}

/** The end at the other side. */
export function otherEnd(end: ChannelEnd): ChannelEnd {
  return end === 0 ? 1 : 0;
}

/** The words that say which ends are closed. */
export function closedWords({ buffer, byteOffset }: Place): Int32Array<SharedArrayBuffer> {
  return new Int32Array(buffer, byteOffset, 2);
}

/** The values of a word that says whether its end is closed, and why. */
export const CLOSED_WORD = {
  open: 0,
  /** The end is closed, or its component is gone. */
  closed: 1,
  /** This end says that the other end has broken the protocol. */
  accused: 2,
  /** This end says that the other end has taken too little for too long. */
  overrun: 3,
} as const;

/**
 * Says that `end` is closed. Frames that it has written can still be read. The first reason counts.
 */
export function markClosed(memory: Place, end: ChannelEnd, word: number = CLOSED_WORD.closed): void {
  Atomics.compareExchange(closedWords(memory), end, CLOSED_WORD.open, word);
}
