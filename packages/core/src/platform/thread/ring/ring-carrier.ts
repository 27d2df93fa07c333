/**
 * A carrier between two threads, of one process or of two. Frames go through rings in shared
 * memory; memory that travels beside them goes its own way (`memory-travel.ts`). The sender never
 * waits: frames that find the ring full queue up in front of it, and go on when the reader has made
 * room and says so. The reader always takes everything there is. So no pattern of calls can make
 * two ends wait for each other. A frame longer than a record goes in parts. A handler gets a copy
 * of the bytes in the ring, which the peer cannot change any more; it is valid until the handler
 * returns.
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

/**
 * Kinds of records: a part of a frame, the last part (or the only one), and a last part whose frame
 * has memory beside it.
 */
const RECORD_KIND = { part: 1, last: 2, lastWithMemory: 3 } as const;

/**
 * Room in the ring is given back to the writer after this many bytes, even in the middle of a
 * round.
 */
const PUBLISH_BYTES = 16 * 1024;
const NO_MEMORY: SharedMemory = [];

const NONSENSE = 'the peer broke the rules of the ring';
const OVERRUN = 'the peer does not read: too much waits for it';
/** Why the other end has closed, if it is not simply gone. */
const PEER_SAYS: Readonly<Record<number, string>> = {
  [CLOSED_WORD.accused]: 'the peer ended the channel, because this end broke its protocol',
  [CLOSED_WORD.overrun]: 'the peer ended the channel, because this end read too little',
};

/** The thread in which a carrier is drained. */
export interface RingSurroundings {
  readonly travel: MemoryTravel;
  /** The doorbell of the peer's thread. */
  readonly peerBell: Bell;
  /** Asks for `drain` to be called soon. */
  readonly wake: () => void;
  /** The carrier is closed and does not need to be drained any more. */
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
  /** The frame that `send` is sending at the moment. */
  #queued: WaitingFrame | undefined;
  /**
   * Whether nothing can be sent any more: because memory cannot be sent, or because more frames
   * wait than an honest peer would let wait.
   */
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

  /** The number of frames that have found no room in the ring yet. */
  get waitingFrames(): number {
    return this.#waiting.length;
  }

  send(frame: Uint8Array, memory: SharedMemory, left?: () => void): boolean {
    if (this.#closed || this.#givenUp) return false;
    // All memory of a frame is on its way before the frame is, and before anything of later frames.
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

  hurry(): void {
    this.#surroundings.peerBell.hurry();
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

  /** Takes every frame that has come, and sends frames that wait. */
  drain(): void {
    if (this.#closed || !this.#handler) return;
    // Looked at first: a reader that then takes everything has seen all frames that the closed peer
    // has sent.
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

  /** Hands the frames of this round to the handler. False if the peer's ring is malformed. */
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

  /** Puts a frame behind those that wait. True if it still waits afterwards. */
  #queue(frame: WaitingFrame): boolean {
    this.#waiting.push(frame);
    if (this.#waiting.length > LIMITS.ringWaitingFrames || this.#waiting.bytes > LIMITS.ringWaitingBytes) {
      // The peer reads nothing.
      this.#overrun = true;
      this.#giveUp();
      return true;
    }
    if (this.#waiting.length > 1) return true;
    // If all of it can be written at once, the caller learns that by the result, and `left` is not
    // called.
    this.#queued = frame;
    this.#flush();
    this.#queued = undefined;
    return this.#waiting.length > 0;
  }

  /** Writes frames that wait, as far as there is room. */
  #flush(): void {
    for (let first = this.#waiting.first; first; first = this.#waiting.first) {
      if (!this.#memoryGone(first)) {
        // If the reader has made room meanwhile, there is room now.
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

  /** Tries again to send the memory of a frame. True if all of it is on its way. */
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

  /**
   * Nothing can be sent any more. The carrier is closed later, because nobody expects that in the
   * middle of a send.
   */
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
