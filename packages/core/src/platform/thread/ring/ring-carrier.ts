/**
 * A carrier between two threads, of one process or of two: frames go through rings in shared memory, memory that travels
 * beside them in a way of its own (`memory-travel.ts`). The sender never waits: frames that find the ring full queue up
 * in front of it, and go on when the reader has made room and says so. The reader always takes everything there is;
 * hence no pattern of calls can make two ends wait for each other.
 *
 * A frame longer than a record goes in parts. The frame that a handler gets is a copy of what was in the ring (the peer
 * cannot change it any more) and is valid until the handler returns.
 */
import type { Carrier, SharedMemory } from '../../../channel/carrier.ts';
import { LIMITS } from '../../../limits.ts';
import type { Place } from '../../../memory/place.ts';
import type { MemorySharing } from '../../../memory/shared-memory.ts';
import { BROKEN, ByteRingReader, ByteRingWriter } from '../../wire/byte-ring.ts';
import {
  type ChannelEnd,
  CLOSED_WORD,
  closedWords,
  markClosed,
  otherEnd,
  type RingEnd,
  ringFrom,
} from '../../wire/channel-memory.ts';
import type { Bell } from '../../wire/doorbell.ts';
import { FrameAssembly } from './frame-assembly.ts';
import { FrameQueue, type WaitingFrame } from './frame-queue.ts';
import type { MemoryTravel } from '../memory/memory-travel.ts';
import type { WorkSource } from './work-source.ts';

/** Kinds of records: a part of a frame, the last one (or the only one), and a last one with memory beside it. */
const RECORD_KIND = { part: 1, last: 2, lastWithMemory: 3 } as const;

/** Rings given back to the writer at least after so many bytes, even in the middle of a round. */
const PUBLISH_BYTES = 16 * 1024;
const NO_MEMORY: SharedMemory = [];

const NONSENSE = 'the peer broke the rules of the ring';
const OVERRUN = 'the peer does not read: too much waits for it';
/** Why the other end has closed, where it is not simply gone. */
const PEER_SAYS: Readonly<Record<number, string>> = {
  [CLOSED_WORD.accused]: 'the peer ended the channel, because this end broke its protocol',
  [CLOSED_WORD.overrun]: 'the peer ended the channel, because this end read too little',
};

/** Who drains the carrier, and how it is asked to. */
export interface RingSurroundings {
  readonly travel: MemoryTravel;
  /** The doorbell of the peer's thread. */
  readonly peerBell: Bell;
  /** Asks for `drain` to be called soon. */
  readonly wake: () => void;
  /** The carrier is closed: it needs to be drained no more. */
  readonly finished: () => void;
}

/** One end of a carrier over rings. */
export class RingCarrier implements Carrier, WorkSource {
  readonly #end: ChannelEnd;
  readonly #memory: Place;
  readonly #closedWords: Int32Array;
  readonly #travel: MemoryTravel;
  readonly #peerSlot: number;
  readonly #surroundings: RingSurroundings;
  readonly #writer: ByteRingWriter;
  readonly #reader: ByteRingReader;
  readonly #waiting = new FrameQueue();
  readonly #assembly = new FrameAssembly(LIMITS.frameBytes);
  #handler: ((frame: Uint8Array, memory: SharedMemory) => void) | undefined;
  #closedHandler: ((reason?: string) => void) | undefined;
  #closed = false;
  /** The frame that `send` is about. */
  #queued: WaitingFrame | undefined;
  /** Nothing can be sent any more: memory cannot, or more waits than an honest peer would let wait. */
  #givenUp = false;
  #overrun = false;

  constructor({ end, memory, peerSlot }: RingEnd, surroundings: RingSurroundings) {
    this.#end = end;
    this.#memory = memory;
    this.#closedWords = closedWords(memory);
    this.#travel = surroundings.travel;
    this.#peerSlot = peerSlot;
    this.#surroundings = surroundings;
    this.#writer = new ByteRingWriter(ringFrom(memory, end));
    this.#reader = new ByteRingReader(ringFrom(memory, otherEnd(end)));
  }

  get sharing(): MemorySharing {
    return this.#travel.sharing;
  }

  /** Frames that have not found room in the ring yet. */
  get waitingFrames(): number {
    return this.#waiting.length;
  }

  send(frame: Uint8Array, memory: SharedMemory, left?: () => void): boolean {
    if (this.#closed || this.#givenUp) return false;
    // All of it is under way before the frame is, and before anything of later frames.
    const gone = memory.length > 0 && this.#waiting.length === 0 ? this.#sendMemory(memory, 0) : 0;
    if (this.#givenUp) return true;
    if (
      this.#waiting.length === 0 &&
      gone === memory.length &&
      frame.byteLength <= this.#writer.payloadBytesMax
    ) {
      const kind = memory.length > 0 ? RECORD_KIND.lastWithMemory : RECORD_KIND.last;
      if (this.#writer.write(kind, frame, 0, frame.byteLength)) {
        this.#surroundings.peerBell.ringSoon(this.#peerSlot);
        return false;
      }
    }
    return this.#queue({ frame: new Uint8Array(frame), memory, memoryGone: gone, left, written: 0 });
  }

  receive(handler: (frame: Uint8Array, memory: SharedMemory) => void): void {
    this.#handler = handler;
    this.#surroundings.wake();
  }

  closed(handler: (reason?: string) => void): void {
    this.#closedHandler = handler;
  }

  close(accused = false): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiting.clear();
    const overrun = this.#overrun ? CLOSED_WORD.overrun : CLOSED_WORD.closed;
    markClosed(this.#memory, this.#end, accused ? CLOSED_WORD.accused : overrun);
    this.#surroundings.peerBell.ringSoon(this.#peerSlot);
    this.#travel.close();
    this.#surroundings.finished();
  }

  /** Takes every frame that has come, and sends what waits. */
  drain(): void {
    if (this.#closed || !this.#handler) return;
    // In this order: who has seen the peer closed sees everything it has sent.
    const peerClosed = Atomics.load(this.#closedWords, otherEnd(this.#end));
    if (!this.#reader.refresh()) return this.#lost(NONSENSE, true);
    if (!this.#takeRecords(this.#handler)) return this.#lost(NONSENSE, true);
    if (this.#closed) return;
    this.#giveRoom();
    if (this.#waiting.length > 0) this.#flush();
    if (peerClosed !== CLOSED_WORD.open) this.#lost(PEER_SAYS[peerClosed]);
    else if (this.#givenUp) this.#lost(this.#overrun ? OVERRUN : undefined);
    else if (this.#writer.broken) this.#lost(NONSENSE, true);
  }

  /** Dispatches the frames of this round; false if the peer's ring makes no sense. */
  #takeRecords(handler: (frame: Uint8Array, memory: SharedMemory) => void): boolean {
    const reader = this.#reader;
    let unpublished = 0;
    for (;;) {
      const found = reader.next();
      if (found !== true) return found !== BROKEN;
      const { kind, lengthBytes } = reader;
      if (kind < RECORD_KIND.part || kind > RECORD_KIND.lastWithMemory) return false;
      if (!this.#assembly.append(reader)) return false;
      unpublished += lengthBytes;
      if (unpublished >= PUBLISH_BYTES) {
        unpublished = 0;
        this.#giveRoom();
      }
      if (kind === RECORD_KIND.part) continue;
      const memory = kind === RECORD_KIND.lastWithMemory ? this.#travel.receive() : NO_MEMORY;
      if (!memory) return false;
      const frame = this.#assembly.take();
      handler(frame, memory);
      this.#assembly.giveBack(frame);
      if (this.#closed) return true;
    }
  }

  #giveRoom(): void {
    if (this.#reader.publish()) this.#surroundings.peerBell.ringSoon(this.#peerSlot);
  }

  /** Puts a frame behind those that wait; true if it still does. */
  #queue(frame: WaitingFrame): boolean {
    this.#waiting.push(frame);
    if (this.#waiting.length > LIMITS.ringWaitingFrames || this.#waiting.bytes > LIMITS.ringWaitingBytes) {
      // The peer reads nothing.
      this.#overrun = true;
      this.#giveUp();
      return true;
    }
    if (this.#waiting.length > 1) return true;
    // The caller learns it by the result, if all of it goes at once.
    this.#queued = frame;
    this.#flush();
    this.#queued = undefined;
    return this.#waiting.length > 0;
  }

  /** Writes what waits, as far as there is room. */
  #flush(): void {
    for (let first = this.#waiting.first; first; first = this.#waiting.first) {
      if (!this.#memoryGone(first)) {
        // What the reader has taken by then makes room for it.
        this.#writer.wantRoom();
        break;
      }
      if (this.#writeNext(first)) {
        if (first.written < first.frame.byteLength) continue;
        this.#waiting.shift();
        if (first !== this.#queued) first.left?.();
      } else if (this.#writer.wantRoom()) break;
      else if (this.#writer.broken) return this.#surroundings.wake();
    }
    this.#surroundings.peerBell.ringSoon(this.#peerSlot);
  }

  #writeNext(first: WaitingFrame): boolean {
    const { frame, memory, written } = first;
    const end = Math.min(frame.byteLength, written + this.#writer.payloadBytesMax);
    let kind: number = RECORD_KIND.part;
    if (end === frame.byteLength) kind = memory.length > 0 ? RECORD_KIND.lastWithMemory : RECORD_KIND.last;
    if (!this.#writer.write(kind, frame, written, end)) return false;
    first.written = end;
    return true;
  }

  /** Whether all memory of a frame is under way, after another try. */
  #memoryGone(first: WaitingFrame): boolean {
    if (first.memoryGone < first.memory.length) {
      first.memoryGone = this.#sendMemory(first.memory, first.memoryGone);
    }
    return first.memoryGone === first.memory.length;
  }

  #sendMemory(memory: SharedMemory, from: number): number {
    const gone = this.#travel.send(memory, from);
    if (gone === undefined) this.#giveUp();
    return gone ?? from;
  }

  /** Nothing can be sent any more. The end comes later: nobody expects to be closed in the middle of a send. */
  #giveUp(): void {
    this.#waiting.clear();
    this.#givenUp = true;
    this.#surroundings.wake();
  }

  /** The peer is gone, or has broken the rules of the ring. */
  #lost(reason?: string, accused = false): void {
    if (this.#closed) return;
    const handler = this.#closedHandler;
    this.close(accused);
    handler?.(reason);
  }
}
