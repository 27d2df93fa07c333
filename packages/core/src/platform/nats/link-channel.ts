/**
 * One channel of a link: a carrier of frames between two components on different nodes. A frame
 * waits here until the channel has credit and a datagram has room; `left` says that its last part
 * was handed to the bus. Before that it was provably not handed over.
 */
import type { Carrier, SharedMemory } from '../../channel/carrier.ts';
import { assert } from '../../errors.ts';
import { Fifo } from '../../fifo.ts';
import { LIMITS } from '../../limits.ts';
import { SHARES_NONE } from '../../memory/shared-memory.ts';
import { readU53, viewOf, writeU53 } from './datagram.ts';
import { CLOSED_FLAG, LAST_PART, RecordKind, type LinkRecord, type RecordWriter } from './records.ts';

const NO_MEMORY: SharedMemory = [];
const ROOM_BYTES = 8;
/**
 * Only the last part of a frame may be shorter than this. Each part that waits for the rest of its
 * frame costs more memory than its bytes, so the peer must not choose how many there are.
 */
const PART_BYTES_MIN = 1024;

const OVERRUN = 'the peer does not read: too much waits for it';
/** Why the other end has closed, if it has given no reason. */
const PEER_SAYS: Readonly<Record<number, string>> = {
  [CLOSED_FLAG.accused]: 'the peer ended the channel, because this end broke its protocol',
  [CLOSED_FLAG.overrun]: 'the peer ended the channel, because this end read too little',
};

interface Waiting {
  readonly frame: Uint8Array;
  readonly left: (() => void) | undefined;
  written: number;
}

/** The link that a channel belongs to. */
export interface ChannelHost {
  /** The channel has something to say. */
  ready(channel: LinkChannel): void;
  /** Both ends are done with the channel. */
  forget(channel: LinkChannel): void;
}

/** One end of a channel. */
export class LinkChannel implements Carrier {
  readonly sharing = SHARES_NONE;
  readonly number: number;
  readonly #host: ChannelHost;
  /** What the channel is for, until the peer was told. */
  #ticket: Uint8Array | undefined;
  readonly #waiting = new Fifo<Waiting>();
  #waitingBytes = 0;
  /** Bytes of parts that were sent, and up to where the peer takes them. */
  #sentBytes = 0;
  #sendLimit: number = LIMITS.busChannelWindowBytes;
  /** Bytes of parts that have come, that were taken, and up to where the peer may send them. */
  #comeBytes = 0;
  #takenBytes = 0;
  #toldLimit: number = LIMITS.busChannelWindowBytes;
  readonly #parts: Uint8Array[] = [];
  #partBytes = 0;
  readonly #early: Uint8Array[] = [];
  #handler: ((frame: Uint8Array, memory: SharedMemory) => void) | undefined;
  #closedHandler: ((reason?: string) => void) | undefined;
  /** Why this end is closing; the peer is told behind what it may still get. */
  #closing: { readonly flag: number; readonly reason: string } | undefined;
  /** Why the other end, or the link, has ended. */
  #ended: { readonly reason: string | undefined } | undefined;

  constructor(number: number, host: ChannelHost, ticket?: Uint8Array) {
    this.number = number;
    this.#host = host;
    this.#ticket = ticket;
  }

  get #over(): boolean {
    return this.#closing !== undefined || this.#ended !== undefined;
  }

  send(frame: Uint8Array, memory: SharedMemory, left?: () => void): boolean {
    if (this.#over) return false;
    assert(memory.length === 0, 'memory does not travel to other machines');
    assert(frame.byteLength > 0, 'no frame is empty');
    if (
      this.#waiting.length >= LIMITS.ringWaitingFrames ||
      this.#waitingBytes + frame.byteLength > LIMITS.ringWaitingBytes
    ) {
      this.#end(CLOSED_FLAG.overrun, OVERRUN);
      return true;
    }
    this.#waiting.push({ frame: new Uint8Array(frame), left, written: 0 });
    this.#waitingBytes += frame.byteLength;
    this.#host.ready(this);
    return true;
  }

  receive(handler: (frame: Uint8Array, memory: SharedMemory) => void): void {
    this.#handler = handler;
    for (const frame of this.#early.splice(0)) handler(frame, NO_MEMORY);
    this.#taken(this.#comeBytes - this.#takenBytes);
    if (this.#ended) this.#closedHandler?.(this.#ended.reason);
  }

  closed(handler: (reason?: string) => void): void {
    this.#closedHandler = handler;
  }

  close(accused = false): void {
    this.#close(accused ? CLOSED_FLAG.accused : CLOSED_FLAG.closed, '');
  }

  /** For the acceptor of a channel: it is not wanted. */
  refuse(reason: string): void {
    this.#close(CLOSED_FLAG.closed, reason);
  }

  /** Whether it could write something now. */
  get hasWork(): boolean {
    if (this.#ended) return false;
    const closes = this.#closing !== undefined && this.#waiting.length === 0;
    return this.#ticket !== undefined || this.#roomDue || closes || this.#sendable;
  }

  /** Writes what has room and credit. */
  fill(writer: RecordWriter): void {
    if (this.#ended) return;
    if (this.#ticket) {
      if (writer.room < this.#ticket.byteLength) return;
      writer.add(RecordKind.open, 0, this.number, this.#ticket);
      this.#ticket = undefined;
    }
    if (this.#roomDue && writer.room >= ROOM_BYTES) this.#tellRoom(writer);
    while (this.#sendable && this.#fillPart(writer));
    if (this.#closing && this.#waiting.length === 0) this.#tellClosed(writer, this.#closing);
  }

  /** Takes a record of the peer's. The result says how it breaks the protocol, if it does. */
  take({ kind, flags, bytes }: LinkRecord): string | undefined {
    switch (kind) {
      case RecordKind.part:
        return this.#takePart(bytes, (flags & LAST_PART) !== 0);
      case RecordKind.room:
        return this.#takeRoom(bytes);
      case RecordKind.closed:
        this.ended(Buffer.from(bytes).toString('utf8').slice(0, LIMITS.reasonBytes) || PEER_SAYS[flags]);
        return undefined;
      default:
        return `a record of kind ${kind}`;
    }
  }

  /** The other end has closed the channel, or the link is gone. */
  ended(reason: string | undefined): void {
    if (this.#ended) return;
    const closedHere = this.#closing !== undefined;
    this.#ended = { reason };
    this.#waiting.clear();
    this.#parts.length = 0;
    this.#host.forget(this);
    if (this.#handler && !closedHere) this.#closedHandler?.(reason);
  }

  /** This end ends the channel though its component has not asked for it. */
  #end(flag: number, reason: string): void {
    this.#close(flag, '');
    queueMicrotask(() => this.#closedHandler?.(reason));
  }

  /** What has credit still goes out before the end is told; the rest is given up. */
  #close(flag: number, reason: string): void {
    if (this.#over) return;
    this.#closing = { flag, reason };
    let credit = this.#sendLimit - this.#sentBytes;
    let kept = 0;
    for (const { frame, written } of this.#waiting) {
      credit -= frame.byteLength - written;
      if (credit < 0) break;
      kept++;
    }
    this.#waiting.truncate(kept);
    this.#early.length = 0;
    this.#parts.length = 0;
    this.#host.ready(this);
  }

  get #sendable(): boolean {
    const { first } = this.#waiting;
    if (!first) return false;
    const rest = first.frame.byteLength - first.written;
    return this.#sendLimit - this.#sentBytes >= Math.min(rest, PART_BYTES_MIN);
  }

  /** Writes a part of the first frame; false if there is no room for it. */
  #fillPart(writer: RecordWriter): boolean {
    const { first } = this.#waiting;
    if (!first) return false;
    const rest = first.frame.byteLength - first.written;
    const room = writer.room;
    if (room < Math.min(rest, PART_BYTES_MIN)) return false;
    const length = Math.min(rest, room, this.#sendLimit - this.#sentBytes);
    const last = length === rest;
    const bytes = first.frame.subarray(first.written, first.written + length);
    writer.add(RecordKind.part, last ? LAST_PART : 0, this.number, bytes);
    first.written += length;
    this.#sentBytes += length;
    if (!last) return true;
    this.#waiting.shift();
    this.#waitingBytes -= first.frame.byteLength;
    first.left?.();
    return true;
  }

  #tellRoom(writer: RecordWriter): void {
    this.#toldLimit = this.#takenBytes + LIMITS.busChannelWindowBytes;
    const bytes = new Uint8Array(ROOM_BYTES);
    writeU53(viewOf(bytes), 0, this.#toldLimit);
    writer.add(RecordKind.room, 0, this.number, bytes);
  }

  #tellClosed(writer: RecordWriter, { flag, reason }: { flag: number; reason: string }): void {
    const bytes = Buffer.from(reason).subarray(0, LIMITS.reasonBytes);
    if (writer.room < bytes.byteLength) return;
    writer.add(RecordKind.closed, flag, this.number, bytes);
    this.#ended = { reason: undefined };
    this.#host.forget(this);
  }

  /** Half of the window was taken since the peer was told. */
  get #roomDue(): boolean {
    const given = this.#takenBytes + LIMITS.busChannelWindowBytes - this.#toldLimit;
    return !this.#over && given * 2 >= LIMITS.busChannelWindowBytes;
  }

  #takeRoom(bytes: Uint8Array): string | undefined {
    if (bytes.byteLength !== ROOM_BYTES) return 'malformed room';
    const limit = readU53(viewOf(bytes), 0);
    if (!Number.isSafeInteger(limit) || limit < this.#sendLimit) return 'room that is taken back';
    this.#sendLimit = limit;
    if (this.hasWork) this.#host.ready(this);
    return undefined;
  }

  #takePart(bytes: Uint8Array, last: boolean): string | undefined {
    if (this.#over) return undefined;
    if (bytes.byteLength < (last ? 1 : PART_BYTES_MIN)) return 'a part that is too short';
    this.#comeBytes += bytes.byteLength;
    if (this.#comeBytes > this.#toldLimit) return 'more than there is room for';
    this.#partBytes += bytes.byteLength;
    if (this.#partBytes > LIMITS.frameBytes) return `a frame of more than ${LIMITS.frameBytes} bytes`;
    if (last) this.#deliver(this.#whole(bytes));
    // What waits in the datagram's buffer is used again by nobody, so a part need not be copied.
    else this.#parts.push(bytes);
    if (this.#handler) this.#taken(this.#comeBytes - this.#takenBytes);
    return undefined;
  }

  #whole(last: Uint8Array): Uint8Array {
    this.#partBytes = 0;
    if (this.#parts.length === 0) return last;
    return Buffer.concat([...this.#parts.splice(0), last]);
  }

  #deliver(frame: Uint8Array): void {
    if (this.#handler) this.#handler(frame, NO_MEMORY);
    else this.#early.push(frame);
  }

  #taken(bytes: number): void {
    this.#takenBytes += bytes;
    if (this.#roomDue) this.#host.ready(this);
  }
}
