import { loadPacket, type Packet, storePacket } from './packet.ts';

/**
 * The two ends of one queue. Each end has an index of its own in shared memory and a private copy
 * of the other's, which it looks up again only when the copy says "full" or "empty". An end works
 * on a private index and publishes it once a batch: Atomics.store orders the words of the packets
 * before it.
 */

/** Appends packets to a queue. */
export class RingWriter {
  readonly slots: number;
  readonly #control: Int32Array;
  readonly #headAt: number;
  readonly #tailAt: number;
  readonly #queue: Int32Array;
  #head: number;
  #published: number;
  #tail: number;

  /** `start` is what both indexes in memory hold. */
  constructor(
    control: Int32Array,
    headAt: number,
    tailAt: number,
    queue: Int32Array,
    slots: number,
    start = 0,
  ) {
    this.#control = control;
    this.#headAt = headAt;
    this.#tailAt = tailAt;
    this.#queue = queue;
    this.slots = slots;
    this.#head = start;
    this.#published = start;
    this.#tail = start;
  }

  get head(): number {
    return this.#head;
  }

  /** Packets in the queue, as far as this end knows. */
  get used(): number {
    return (this.#head - this.#tail) | 0;
  }

  /**
   * Looks at the reader's index. False if it is impossible: ahead of the packets, or behind where
   * it was.
   */
  refresh(): boolean {
    const tail = Atomics.load(this.#control, this.#tailAt);
    const used = (this.#head - tail) | 0;
    if (used < ((this.#head - this.#published) | 0) || used > this.used) return false;
    this.#tail = tail;
    return true;
  }

  /** Appends a packet. The caller has made sure that there is room. */
  append(packet: Packet): void {
    storePacket(packet, this.#queue, this.#head & (this.slots - 1));
    this.#head = (this.#head + 1) | 0;
  }

  /** Makes what was appended visible to the reader. False if nothing was. */
  publish(): boolean {
    if (this.#published === this.#head) return false;
    this.#published = this.#head;
    Atomics.store(this.#control, this.#headAt, this.#head);
    return true;
  }
}

/** Takes packets from a queue. */
export class RingReader {
  readonly slots: number;
  readonly #control: Int32Array;
  readonly #headAt: number;
  readonly #tailAt: number;
  readonly #queue: Int32Array;
  #tail: number;
  #published: number;
  #head: number;

  /** `start` is what both indexes in memory hold. */
  constructor(
    control: Int32Array,
    headAt: number,
    tailAt: number,
    queue: Int32Array,
    slots: number,
    start = 0,
  ) {
    this.#control = control;
    this.#headAt = headAt;
    this.#tailAt = tailAt;
    this.#queue = queue;
    this.slots = slots;
    this.#head = start;
    this.#published = start;
    this.#tail = start;
  }

  get tail(): number {
    return this.#tail;
  }

  /** Packets in the queue, as far as this end knows. */
  get used(): number {
    return (this.#head - this.#tail) | 0;
  }

  /**
   * Looks at the writer's index. False if it is impossible: more than the queue holds, or behind
   * where it was.
   */
  refresh(): boolean {
    const head = Atomics.load(this.#control, this.#headAt);
    const used = (head - this.#tail) | 0;
    if (used < this.used || used > this.slots) return false;
    this.#head = head;
    return true;
  }

  /**
   * Takes a packet. The caller has made sure that there is one. False if its fields are impossible
   * (`loadPacket`).
   */
  take(into: Packet): boolean {
    const sound = loadPacket(into, this.#queue, this.#tail & (this.slots - 1));
    this.#tail = (this.#tail + 1) | 0;
    return sound;
  }

  /** Gives the slots of what was taken back to the writer. False if nothing was taken. */
  publish(): boolean {
    if (this.#published === this.#tail) return false;
    this.#published = this.#tail;
    Atomics.store(this.#control, this.#tailAt, this.#tail);
    return true;
  }
}
