import { PACKET_BYTES, PACKET_WORDS } from './layout.ts';

/**
 * The frames of a stream whose ends share no memory. All numbers are 32 bits, little-endian:
 *
 *     frame   := tail, waits, record*
 *     record  := 1, packet (12 words as in the queues)
 *              | 2, offset, length, bytes, padding to a multiple of 4
 *
 * `tail` is how far the sender has read the queue that the receiver writes: the receiver's credit.
 * `waits` is 2 while the sender waits for such credit, else 0. Payload bytes go to the same offset
 * of the receiver's bulk buffer and precede the packet they belong to, in several records or frames
 * if they are many.
 */
export const FRAME_BYTES_MAX = 128 * 1024;

export const RECORD_KIND = { packet: 1, payload: 2 } as const;

export const FRAME_HEADER_BYTES = 8;
const PACKET_RECORD_BYTES = 4 + PACKET_BYTES;
const PAYLOAD_HEADER_BYTES = 12;

/** Puts frames together in one buffer, which is used again and again. */
export class FrameWriter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #send: (frame: Uint8Array) => void;
  #at = 0;

  /** `limitBytes` (at most FRAME_BYTES_MAX, at least 128) bounds each frame. */
  constructor(limitBytes: number, send: (frame: Uint8Array) => void) {
    this.#bytes = new Uint8Array(limitBytes);
    this.#view = new DataView(this.#bytes.buffer);
    this.#send = send;
  }

  begin(tail: number, waits: number): void {
    this.#view.setInt32(0, tail, true);
    this.#view.setInt32(4, waits, true);
    this.#at = FRAME_HEADER_BYTES;
  }

  /** Adds the packet in slot `slot` of a queue. */
  packet(queue: Int32Array, slot: number): void {
    if (this.#at + PACKET_RECORD_BYTES > this.#bytes.length) this.#next();
    const view = this.#view;
    view.setInt32(this.#at, RECORD_KIND.packet, true);
    for (let word = 0; word < PACKET_WORDS; word++) {
      view.setInt32(this.#at + 4 + word * 4, queue[slot * PACKET_WORDS + word] ?? 0, true);
    }
    this.#at += PACKET_RECORD_BYTES;
  }

  payload(bulk: Uint8Array, offset: number, length: number): void {
    let done = 0;
    while (done < length) {
      let room = (this.#bytes.length - this.#at - PAYLOAD_HEADER_BYTES) & ~3;
      if (room <= 0) {
        this.#next();
        room = (this.#bytes.length - this.#at - PAYLOAD_HEADER_BYTES) & ~3;
      }
      const part = Math.min(room, length - done);
      this.#view.setInt32(this.#at, RECORD_KIND.payload, true);
      this.#view.setInt32(this.#at + 4, offset + done, true);
      this.#view.setInt32(this.#at + 8, part, true);
      const start = this.#at + PAYLOAD_HEADER_BYTES;
      this.#bytes.set(bulk.subarray(offset + done, offset + done + part), start);
      this.#at = start + ((part + 3) & ~3);
      done += part;
    }
  }

  /** Sends what was put together since `begin`. */
  end(): void {
    this.#send(this.#bytes.subarray(0, this.#at));
    this.#at = 0;
  }

  /** Goes on in a new frame with the same header, which is still at the start of the buffer. */
  #next(): void {
    this.end();
    this.#at = FRAME_HEADER_BYTES;
  }
}
