/**
 * A carrier between two threads of one process: frames go through rings in shared memory, memory that travels beside
 * them through a port. The sender never waits: frames that find the ring full queue up in front of it, and go on when
 * the reader has made room and says so. The reader always takes everything there is; hence no pattern of calls can
 * make two ends wait for each other.
 *
 * A frame longer than a record goes in parts. The frame that a handler gets is a copy of what was in the ring (the peer
 * cannot change it any more) and is valid until the handler returns.
 */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { Carrier, SharedMemory } from '../../channel/carrier.ts';
import { LIMITS } from '../../limits.ts';
import { BROKEN, ByteRingReader, ByteRingWriter } from './byte-ring.ts';
import { type ChannelEnd, markClosed, otherEnd, ringFrom } from './channel-memory.ts';
import type { Bell } from './doorbell.ts';
import { FrameAssembly } from './frame-assembly.ts';
import { FrameQueue, type WaitingFrame } from './frame-queue.ts';
import type { WorkSource } from './work-source.ts';

/** Kinds of records: a part of a frame, the last one (or the only one), and a last one with memory in the port. */
const RecordKind = { part: 1, last: 2, lastWithMemory: 3 } as const;

/** Rings given back to the writer at least after so many bytes, even in the middle of a round. */
const PUBLISH_BYTES = 16 * 1024;
const NO_MEMORY: SharedMemory = [];

/** One end of a channel, as it is handed to a thread. */
export interface RingEnd {
  readonly end: ChannelEnd;
  readonly memory: SharedArrayBuffer;
  /** The peer's end is the other port. */
  readonly port: MessagePort;
  /** Slot of this channel at the peer's doorbell. */
  readonly peerSlot: number;
}

/** Who drains the carrier, and how it is asked to. */
export interface RingSurroundings {
  /** The doorbell of the peer's thread. */
  readonly peerBell: Bell;
  /** Asks for `drain` to be called soon. */
  readonly wake: () => void;
  /** The carrier is closed: it needs to be drained no more. */
  readonly finished: () => void;
}

/** One end of a carrier over rings. */
export class RingCarrier implements Carrier, WorkSource {
  readonly sharesMemory = true;
  readonly #end: ChannelEnd;
  readonly #memory: SharedArrayBuffer;
  readonly #closedWords: Int32Array;
  readonly #port: MessagePort;
  readonly #peerSlot: number;
  readonly #surroundings: RingSurroundings;
  readonly #writer: ByteRingWriter;
  readonly #reader: ByteRingReader;
  readonly #waiting = new FrameQueue();
  readonly #assembly = new FrameAssembly(LIMITS.frameBytes);
  #handler: ((frame: Uint8Array, memory: SharedMemory) => void) | undefined;
  #closedHandler: (() => void) | undefined;
  #closed = false;
  /** The frame that `send` is about. */
  #queued: WaitingFrame | undefined;
  /** More waits than an honest peer would let wait. */
  #overrun = false;

  constructor({ end, memory, port, peerSlot }: RingEnd, surroundings: RingSurroundings) {
    this.#end = end;
    this.#memory = memory;
    this.#closedWords = new Int32Array(memory, 0, 2);
    this.#port = port;
    this.#peerSlot = peerSlot;
    this.#surroundings = surroundings;
    this.#writer = new ByteRingWriter(ringFrom(memory, end));
    this.#reader = new ByteRingReader(ringFrom(memory, otherEnd(end)));
  }

  /** Frames that have not found room in the ring yet. */
  get waitingFrames(): number {
    return this.#waiting.length;
  }

  send(frame: Uint8Array, memory: SharedMemory, left?: () => void): boolean {
    if (this.#closed || this.#overrun) return false;
    const carriesMemory = memory.length > 0;
    // Ports and rings both keep their order, so the reader finds it when it meets the frame's last record.
    if (carriesMemory) this.#port.postMessage(memory, []);
    if (this.#waiting.length === 0 && frame.byteLength <= this.#writer.payloadBytesMax) {
      const kind = carriesMemory ? RecordKind.lastWithMemory : RecordKind.last;
      if (this.#writer.write(kind, frame, 0, frame.byteLength)) {
        this.#surroundings.peerBell.ringSoon(this.#peerSlot);
        return false;
      }
    }
    return this.#queue({ frame: frame.slice(), carriesMemory, left, written: 0 });
  }

  receive(handler: (frame: Uint8Array, memory: SharedMemory) => void): void {
    this.#handler = handler;
    this.#surroundings.wake();
  }

  closed(handler: () => void): void {
    this.#closedHandler = handler;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiting.clear();
    this.#port.close();
    markClosed(this.#memory, this.#end);
    this.#surroundings.peerBell.ringSoon(this.#peerSlot);
    this.#surroundings.finished();
  }

  /** Takes every frame that has come, and sends what waits. */
  drain(): void {
    if (this.#closed || !this.#handler) return;
    // In this order: who has seen the peer closed sees everything it has sent.
    const peerClosed = Atomics.load(this.#closedWords, otherEnd(this.#end)) !== 0;
    if (!this.#reader.refresh()) return this.#lost();
    if (!this.#takeRecords(this.#handler)) return this.#lost();
    if (this.#closed) return;
    this.#giveRoom();
    if (this.#waiting.length > 0) this.#flush();
    if (peerClosed || this.#overrun || this.#writer.broken) this.#lost();
  }

  /** Dispatches the frames of this round; false if the peer's ring makes no sense. */
  #takeRecords(handler: (frame: Uint8Array, memory: SharedMemory) => void): boolean {
    const reader = this.#reader;
    let unpublished = 0;
    for (;;) {
      const found = reader.next();
      if (found !== true) return found !== BROKEN;
      const { kind, lengthBytes } = reader;
      if (kind < RecordKind.part || kind > RecordKind.lastWithMemory) return false;
      if (!this.#assembly.append(reader)) return false;
      unpublished += lengthBytes;
      if (unpublished >= PUBLISH_BYTES) {
        unpublished = 0;
        this.#giveRoom();
      }
      if (kind === RecordKind.part) continue;
      const memory = kind === RecordKind.lastWithMemory ? this.#takeMemory() : NO_MEMORY;
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

  #takeMemory(): SharedMemory | undefined {
    const received: unknown = receiveMessageOnPort(this.#port)?.message;
    return isSharedMemory(received) ? received : undefined;
  }

  /** Puts a frame behind those that wait; true if it still does. */
  #queue(frame: WaitingFrame): boolean {
    this.#waiting.push(frame);
    if (this.#waiting.length > LIMITS.ringWaitingFrames || this.#waiting.bytes > LIMITS.ringWaitingBytes) {
      // The peer reads nothing. The end comes later: nobody expects to be closed in the middle of a send.
      this.#waiting.clear();
      this.#overrun = true;
      this.#surroundings.wake();
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
    const { frame, carriesMemory, written } = first;
    const end = Math.min(frame.byteLength, written + this.#writer.payloadBytesMax);
    let kind: number = RecordKind.part;
    if (end === frame.byteLength) kind = carriesMemory ? RecordKind.lastWithMemory : RecordKind.last;
    if (!this.#writer.write(kind, frame, written, end)) return false;
    first.written = end;
    return true;
  }

  /** The peer is gone, or has broken the rules of the ring. */
  #lost(): void {
    if (this.#closed) return;
    const handler = this.#closedHandler;
    this.close();
    handler?.();
  }
}

function isSharedMemory(value: unknown): value is SharedMemory {
  return (
    Array.isArray(value) &&
    value.length <= LIMITS.capabilitiesPerMessage &&
    value.every((memory) => memory instanceof SharedArrayBuffer)
  );
}
