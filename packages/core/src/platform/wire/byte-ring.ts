/**
 * A ring of bytes in shared memory, for one writer and one reader: it carries records, in order.
 * Positions count bytes and run on past the end of the ring (modulo 2^32); the ring's size is a
 * power of two.
 *
 *     control word  0   tail: position behind the last record (writer's)
 *                   1   1 while the writer waits for room (set by the writer, taken by the reader)
 *                  16   head: position of the next record (reader's)
 *
 *     record        u32 payload bytes · u32 kind · payload, padded to 8 bytes
 *
 * A record never wraps: one that does not fit behind the last one is preceded by a `skip` record
 * that fills the rest. Words that the other end writes are read once and checked before they are
 * used, so a peer that lies is found out or harms itself only.
 */

/** Words of the control part of one ring; reader and writer keep to cache lines of their own. */
export const RING_CONTROL_WORDS = 32;

const TAIL = 0;
const WANTS_ROOM = 1;
const HEAD = 16;

const HEADER_BYTES = 8;
/** The kind of a record that only fills the rest of the ring. */
const SKIP = 0;

/** Payloads up to this length are copied word by word, because a call of `set` costs more. */
const SHORT_BYTES = 128;

/** The peer has written something malformed into the ring. */
export const BROKEN = -1;

/** The parts of a ring. */
export interface RingMemory {
  readonly control: Int32Array;
  readonly data: Uint8Array;
  /** The same bytes as words. */
  readonly words: Int32Array;
}

/** A ring of `sizeBytes` with its control part at `controlOffset` and its data at `dataOffset`. */
export function ringMemory(
  memory: SharedArrayBuffer,
  controlOffset: number,
  dataOffset: number,
  sizeBytes: number,
): RingMemory {
  return {
    control: new Int32Array(memory, controlOffset, RING_CONTROL_WORDS),
    data: new Uint8Array(memory, dataOffset, sizeBytes),
    words: new Int32Array(memory, dataOffset, sizeBytes / 4),
  };
}

function recordBytes(payloadBytes: number): number {
  return (HEADER_BYTES + payloadBytes + 7) & ~7;
}

/** The writer's end. */
export class ByteRingWriter {
  /** The longest payload of one record. Four such records fit into the ring. */
  readonly payloadBytesMax: number;
  readonly #ring: RingMemory;
  readonly #size: number;
  #tail = 0;
  /** The position of the reader when it was looked at last. */
  #head = 0;
  #broken = false;

  constructor(ring: RingMemory) {
    this.#ring = ring;
    this.#size = ring.data.byteLength;
    this.payloadBytesMax = this.#size / 4 - HEADER_BYTES;
  }

  /** Whether the reader has written an impossible position. Then nothing more can be written. */
  get broken(): boolean {
    return this.#broken;
  }

  /**
   * Writes bytes `start` to `end` as one record, of a kind from 1 on. False if there is no room
   * now.
   */
  write(kind: number, bytes: Uint8Array, start: number, end: number): boolean {
    const length = end - start;
    const needed = recordBytes(length);
    let at = this.#tail & (this.#size - 1);
    const contiguous = this.#size - at;
    const skipped = needed > contiguous ? contiguous : 0;
    if (!this.#hasRoom(skipped + needed)) return false;
    const { control, data, words } = this.#ring;
    if (skipped > 0) {
      words[at >>> 2] = skipped - HEADER_BYTES;
      words[(at >>> 2) + 1] = SKIP;
      at = 0;
    }
    words[at >>> 2] = length;
    words[(at >>> 2) + 1] = kind;
    data.set(start === 0 && end === bytes.byteLength ? bytes : bytes.subarray(start, end), at + HEADER_BYTES);
    this.#tail = (this.#tail + skipped + needed) | 0;
    Atomics.store(control, TAIL, this.#tail);
    return true;
  }

  /** Asks the reader to say when it has made room. False if it has made room in the meantime. */
  wantRoom(): boolean {
    const seen = this.#head;
    Atomics.store(this.#ring.control, WANTS_ROOM, 1);
    return Atomics.load(this.#ring.control, HEAD) === seen;
  }

  #hasRoom(needed: number): boolean {
    if (this.#size - ((this.#tail - this.#head) >>> 0) >= needed) return true;
    if (this.#broken) return false;
    const head = Atomics.load(this.#ring.control, HEAD);
    const used = (this.#tail - head) >>> 0;
    // The reader's position only moves on, and never past the tail.
    if (used > (this.#tail - this.#head) >>> 0 || (head & 7) !== 0) {
      this.#broken = true;
      return false;
    }
    this.#head = head;
    return this.#size - used >= needed;
  }
}

/**
 * The reader's end. `next` finds a record; its payload is copied out before anything is made of it.
 */
export class ByteRingReader {
  /** Kind of the record that `next` found. */
  kind = 0;
  /** Payload bytes of that record. */
  lengthBytes = 0;
  readonly #ring: RingMemory;
  readonly #size: number;
  #head = 0;
  #published = 0;
  /** The end of the records that are taken in this round. */
  #limit = 0;
  #payloadAt = 0;

  constructor(ring: RingMemory) {
    this.#ring = ring;
    this.#size = ring.data.byteLength;
  }

  /** Begins a round: looks how far the writer is. False if its position is impossible. */
  refresh(): boolean {
    const tail = Atomics.load(this.#ring.control, TAIL);
    const used = (tail - this.#head) >>> 0;
    if (used > this.#size || (tail & 7) !== 0) return false;
    this.#limit = tail;
    return true;
  }

  /** Finds the next record of this round. False if there is none, `BROKEN` if it is malformed. */
  next(): boolean | typeof BROKEN {
    for (;;) {
      const used = (this.#limit - this.#head) >>> 0;
      if (used === 0) return false;
      const at = this.#head & (this.#size - 1);
      const { words } = this.#ring;
      const length = (words[at >>> 2] ?? 0) >>> 0;
      const kind = words[(at >>> 2) + 1] ?? 0;
      if (length > this.#size) return BROKEN;
      const taken = recordBytes(length);
      if (taken > used || taken > this.#size - at) return BROKEN;
      this.#head = (this.#head + taken) | 0;
      if (kind === SKIP) continue;
      this.kind = kind;
      this.lengthBytes = length;
      this.#payloadAt = at + HEADER_BYTES;
      return true;
    }
  }

  /** Copies the payload of the record to `target`; `targetWords` are the same bytes as words. */
  copyTo(target: Uint8Array, targetWords: Int32Array): void {
    const { data, words } = this.#ring;
    const from = this.#payloadAt;
    if (this.lengthBytes > SHORT_BYTES) {
      target.set(data.subarray(from, from + this.lengthBytes));
      return;
    }
    const first = from >>> 2;
    const count = (this.lengthBytes + 3) >>> 2;
    for (let index = 0; index < count; index++) targetWords[index] = words[first + index] ?? 0;
  }

  /** Copies the payload of the record to `target`, from byte `offset` on. */
  appendTo(target: Uint8Array, offset: number): void {
    target.set(this.#ring.data.subarray(this.#payloadAt, this.#payloadAt + this.lengthBytes), offset);
  }

  /**
   * Gives the room of the records taken so far back to the writer. True if the writer waits for
   * that.
   */
  publish(): boolean {
    const { control } = this.#ring;
    if (this.#published !== this.#head) {
      this.#published = this.#head;
      Atomics.store(control, HEAD, this.#head);
    }
    return Atomics.load(control, WANTS_ROOM) !== 0 && Atomics.exchange(control, WANTS_ROOM, 0) !== 0;
  }
}
