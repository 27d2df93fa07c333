import { PACKET_WORDS } from './layout.ts';

/**
 * States of a packet's `status`. 0 is what every submitted packet has: a server that forgets to
 * answer has not succeeded. Codes from `firstCode` on belong to the session interface.
 */
export const PACKET_STATUS = { unanswered: 0, ok: 1, invalid: 2, firstCode: 16 } as const;

/** Tag of an acknowledgement that answers no request (File_system CONTENT_CHANGED). */
export const UNASKED_TAG = 0xffff_ffff;

const HIGH_WORD = 2 ** 32;
/** Upper words of `position` and `count` stay below this, so that both are safe integers. */
const HIGH_WORD_LIMIT = 2 ** 21;

/**
 * One request or acknowledgement: a cursor that is filled again and again, never kept by the
 * stream.
 *
 * | field     | bits | Block                  | File_system                          | set by   |
 * |-----------|------|------------------------|--------------------------------------|----------|
 * | operation | 32   | READ WRITE SYNC TRIM   | READ WRITE SYNC …                    | source   |
 * | tag       | 32   | chosen by `submit`; an acknowledgement carries the tag of its request | stream |
 * | offset    | 32   | start of the payload in the bulk buffer                       | source   |
 * | size      | 32   | bytes of the payload range (0: no payload)                    | source   |
 * | position  | 53   | first block            | seek offset in bytes, or mtime in ms | source   |
 * | count     | 53   | blocks                 | -                                    | source   |
 * | handle    | 32   | -                      | node handle                          | source   |
 * | length    | 32   | -                      | bytes wanted, then bytes done; at most `size` | both |
 * | status    | 32   | `PACKET_STATUS` or a code of the interface                     | sink     |
 * | argument  | 32   | free for the interface                                        | both     |
 */
export class Packet {
  operation = 0;
  tag = 0;
  offset = 0;
  size = 0;
  position = 0;
  count = 0;
  handle = 0;
  length = 0;
  status = 0;
  argument = 0;

  /** Sets every field to 0. */
  clear(): this {
    this.operation = 0;
    this.tag = 0;
    this.offset = 0;
    this.size = 0;
    this.position = 0;
    this.count = 0;
    this.handle = 0;
    this.length = 0;
    this.status = 0;
    this.argument = 0;
    return this;
  }

  copyFrom(other: Packet): this {
    this.operation = other.operation;
    this.tag = other.tag;
    this.offset = other.offset;
    this.size = other.size;
    this.position = other.position;
    this.count = other.count;
    this.handle = other.handle;
    this.length = other.length;
    this.status = other.status;
    this.argument = other.argument;
    return this;
  }
}

/**
 * Writes the packet's words into slot number `slot` of a queue. Fractions and high bits are cut
 * off.
 */
export function storePacket(packet: Packet, queue: Int32Array, slot: number): void {
  const at = slot * PACKET_WORDS;
  queue[at] = packet.operation;
  queue[at + 1] = packet.tag;
  queue[at + 2] = packet.offset;
  queue[at + 3] = packet.size;
  queue[at + 4] = packet.position;
  queue[at + 5] = packet.position / HIGH_WORD;
  queue[at + 6] = packet.count;
  queue[at + 7] = packet.count / HIGH_WORD;
  queue[at + 8] = packet.handle;
  queue[at + 9] = packet.length;
  queue[at + 10] = packet.status;
  queue[at + 11] = packet.argument;
}

/**
 * Reads slot number `slot` of a queue, each word once, so that a peer who goes on writing changes
 * nothing any more. False if `position` or `count` is no safe integer; such a field is then 0.
 */
export function loadPacket(packet: Packet, queue: Int32Array, slot: number): boolean {
  const at = slot * PACKET_WORDS;
  packet.operation = (queue[at] ?? 0) >>> 0;
  packet.tag = (queue[at + 1] ?? 0) >>> 0;
  packet.offset = (queue[at + 2] ?? 0) >>> 0;
  packet.size = (queue[at + 3] ?? 0) >>> 0;
  const positionLow = (queue[at + 4] ?? 0) >>> 0;
  const positionHigh = (queue[at + 5] ?? 0) >>> 0;
  const countLow = (queue[at + 6] ?? 0) >>> 0;
  const countHigh = (queue[at + 7] ?? 0) >>> 0;
  packet.handle = (queue[at + 8] ?? 0) >>> 0;
  packet.length = (queue[at + 9] ?? 0) >>> 0;
  packet.status = (queue[at + 10] ?? 0) >>> 0;
  packet.argument = (queue[at + 11] ?? 0) >>> 0;
  packet.position = positionHigh < HIGH_WORD_LIMIT ? positionHigh * HIGH_WORD + positionLow : 0;
  packet.count = countHigh < HIGH_WORD_LIMIT ? countHigh * HIGH_WORD + countLow : 0;
  return positionHigh < HIGH_WORD_LIMIT && countHigh < HIGH_WORD_LIMIT;
}
