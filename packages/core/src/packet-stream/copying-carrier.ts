import { type Carrier, PROTOCOL_BROKEN, WAIT_FOR } from './carrier.ts';
import { FRAME_BYTES_MAX, FRAME_HEADER_BYTES, FrameWriter, RECORD_KIND } from './frame.ts';
import { PACKET_BYTES, PACKET_WORDS } from './layout.ts';
import { loadPacket, Packet } from './packet.ts';
import type { RingReader, RingWriter } from './ring.ts';
import type { StreamLink } from './stream-link.ts';

/**
 * The stream memory of one end: the queue that it writes, the queue that it reads, and the peer's
 * indexes.
 */
export interface SideMemory {
  readonly control: Int32Array;
  readonly peerHeadAt: number;
  readonly peerTailAt: number;
  readonly outputQueue: Int32Array;
  readonly inputQueue: Int32Array;
  readonly bulk: Uint8Array;
}

/**
 * The carrier for ends that share no memory: each has the whole layout for itself, and this class
 * plays the peer in it. At the end of a batch it sends what this end has appended, with the
 * payload; what arrives it writes where the peer would have written it. Credit (the tail) goes
 * along with every frame, and in one of its own when half a queue is owed or the peer waits for it.
 * An end never has more under way than the other one's queue has room for, so nothing is ever
 * buffered outside stream memory and one frame.
 */
export class CopyingCarrier implements Carrier {
  readonly #link: StreamLink;
  readonly #memory: SideMemory;
  readonly #output: RingWriter;
  readonly #input: RingReader;
  readonly #payloadBytes: (packet: Packet) => number;
  readonly #packet = new Packet();
  readonly #frames: FrameWriter;
  #armed: number = WAIT_FOR.nothing;
  /** Packets before this index were sent. */
  #sentHead = 0;
  /** Packets before this index have arrived. */
  #receivedHead = 0;
  /** The tail that the peer was told last. */
  #reportedTail = 0;
  /** Whether the peer waits for room, as far as it has said. */
  #peerWaits = false;
  /** Whether the peer was told that this end waits for room. */
  #toldWaits = false;

  constructor(
    link: StreamLink,
    memory: SideMemory,
    output: RingWriter,
    input: RingReader,
    payloadBytes: (packet: Packet) => number,
  ) {
    this.#link = link;
    this.#memory = memory;
    this.#output = output;
    this.#input = input;
    this.#payloadBytes = payloadBytes;
    const batchBytes = FRAME_HEADER_BYTES + output.slots * (PACKET_BYTES + 20) + memory.bulk.length;
    const limitBytes = Math.min(FRAME_BYTES_MAX, Math.ceil(batchBytes / 128) * 128);
    this.#frames = new FrameWriter(limitBytes, (frame) => this.#link.send(frame));
  }

  arm(bit: number): void {
    this.#armed |= bit;
  }

  wakeup(): void {
    const owed = (this.#input.tail - this.#reportedTail) | 0;
    const creditDue = owed > 0 && (this.#peerWaits || owed * 2 >= this.#input.slots);
    const waits = this.#armed & WAIT_FOR.room;
    const mustTell = waits !== 0 && !this.#toldWaits;
    if (this.#sentHead === this.#output.head && !creditDue && !mustTell) return;
    this.#reportedTail = this.#input.tail;
    if (owed > 0) this.#peerWaits = false;
    if (waits !== 0) this.#toldWaits = true;
    this.#frames.begin(this.#reportedTail, waits);
    while (this.#sentHead !== this.#output.head) this.#sendPacket();
    this.#frames.end();
  }

  #sendPacket(): void {
    const packet = this.#packet;
    const slot = this.#sentHead & (this.#output.slots - 1);
    loadPacket(packet, this.#memory.outputQueue, slot);
    const length = Math.min(this.#payloadBytes(packet), packet.size);
    if (length > 0) this.#frames.payload(this.#memory.bulk, packet.offset, length);
    this.#frames.packet(this.#memory.outputQueue, slot);
    this.#sentHead = (this.#sentHead + 1) | 0;
  }

  receive(frame: Uint8Array): number {
    if (frame.length < FRAME_HEADER_BYTES) return PROTOCOL_BROKEN;
    const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
    const roomBefore = this.#output.used;
    Atomics.store(this.#memory.control, this.#memory.peerTailAt, view.getInt32(0, true));
    if (!this.#output.refresh()) return PROTOCOL_BROKEN;
    if ((view.getInt32(4, true) & WAIT_FOR.room) !== 0) this.#peerWaits = true;
    const headBefore = this.#receivedHead;
    if (!this.#receiveRecords(frame, view)) return PROTOCOL_BROKEN;
    let news: number = WAIT_FOR.nothing;
    if (this.#output.used < roomBefore) {
      news |= WAIT_FOR.room;
      this.#toldWaits = false;
    }
    if (this.#receivedHead !== headBefore) {
      Atomics.store(this.#memory.control, this.#memory.peerHeadAt, this.#receivedHead);
      news |= WAIT_FOR.packets;
    }
    news &= this.#armed;
    this.#armed &= ~news;
    return news;
  }

  #receiveRecords(frame: Uint8Array, view: DataView): boolean {
    let at = FRAME_HEADER_BYTES;
    while (at < frame.length) {
      if (frame.length - at < 4) return false;
      const kind = view.getUint32(at, true);
      if (kind === RECORD_KIND.packet) at = this.#receivePacket(view, at + 4);
      else if (kind === RECORD_KIND.payload) at = this.#receivePayload(frame, view, at + 4);
      else return false;
      if (at < 0) return false;
    }
    return true;
  }

  /** Returns where the next record starts, or -1. */
  #receivePacket(view: DataView, at: number): number {
    const { slots } = this.#input;
    if (view.byteLength - at < PACKET_BYTES) return -1;
    if (((this.#receivedHead - this.#input.tail) | 0) >= slots) return -1;
    const base = (this.#receivedHead & (slots - 1)) * PACKET_WORDS;
    for (let word = 0; word < PACKET_WORDS; word++) {
      this.#memory.inputQueue[base + word] = view.getInt32(at + word * 4, true);
    }
    this.#receivedHead = (this.#receivedHead + 1) | 0;
    return at + PACKET_BYTES;
  }

  /** Returns where the next record starts, or -1. */
  #receivePayload(frame: Uint8Array, view: DataView, at: number): number {
    if (frame.length - at < 8) return -1;
    const offset = view.getUint32(at, true);
    const length = view.getUint32(at + 4, true);
    const start = at + 8;
    const { bulk } = this.#memory;
    if (offset > bulk.length || length > bulk.length - offset) return -1;
    if (length > frame.length - start) return -1;
    bulk.set(frame.subarray(start, start + length), offset);
    return Math.min(start + ((length + 3) & ~3), frame.length);
  }
}
