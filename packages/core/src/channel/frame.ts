/**
 * Frames: what channels exchange. A frame is a fixed header, a payload, and a table of what it
 * carries (capabilities, dataspaces, streams) in the order in which the payload mentions them. All
 * numbers are little endian.
 *
 *     offset 0  u8   kind                 offset 4   u32  first word
 *            1  u8   version (2)                 8   u32  second word
 *            2  u16  entries in the table       12   u32  third word
 *     16             payload
 *     end - 12 n     n entries: u32 kind, u32 first, u32 second
 *
 * The meaning of the words depends on the kind; see `FrameKind` and `EntryKind`. The operation
 * decides how the payload of a call and of its result looks (`interface/operation.ts`); it can be
 * told apart from the table without.
 */
import { LIMITS } from '../limits.ts';
import { HEADER_BYTES, type MessageWriter } from '../message/writer.ts';

/** The kinds of frames, and the meaning of their words. Words that are not named are zero. */
export const FrameKind = {
  /** call id, export index of the object, key of the operation; payload: arguments */
  call: 1,
  /** call id; payload: result */
  result: 2,
  /** call id; payload: two texts, code and message */
  failure: 3,
  /** export index, references given back */
  release: 4,
  /** export index of the signal context */
  signal: 5,
  /** import index: the receiver took the signal, another one may be sent */
  signalTaken: 6,
  /**
   * giver's component id, introduction number, export index: the capability that the giver
   * announced
   */
  introduction: 7,
  /**
   * stream id, whose end sent it (0: the end that opened the stream); payload: a frame of the
   * packet stream
   */
  stream: 8,
  /** stream id, as above: this end of the stream is closed */
  streamClosed: 9,
  /**
   * as `call`, but in front of the arguments there are six words: the trace and the span of the
   * call (`trace/event.ts`)
   */
  tracedCall: 10,
} as const;
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind];

/** The kinds of entries in a frame's table. */
export const EntryKind = {
  /** An object or signal context of the sender: export index. */
  mine: 1,
  /** An object of the receiver: export index. */
  yours: 2,
  /**
   * An object of a third component: the number of its introduction, and the component id of its
   * owner, who will introduce it to the receiver.
   */
  theirs: 3,
  /** A writeable dataspace: bytes, index in the memory that travels along. */
  ram: 4,
  /** A sealed dataspace: bytes, index in the memory that travels along, or `CONTENT_INLINE`. */
  rom: 5,
  /**
   * A new packet stream: stream id, index in the memory that travels along, or `CONTENT_INLINE`.
   */
  stream: 6,
  /** A capability whose owner is gone; both words are zero. */
  gone: 7,
} as const;
export type EntryKind = (typeof EntryKind)[keyof typeof EntryKind];

/**
 * In an entry for a dataspace or a stream: no memory travels along, and each end uses memory of its
 * own.
 */
export const CONTENT_INLINE = 0xffff_ffff;

const VERSION = 2;
const ENTRY_BYTES = 12;
const KIND_MAX = Math.max(...Object.values(FrameKind));
const ENTRY_KIND_MAX = EntryKind.gone;

/** One entry of the table. */
export interface Entry {
  readonly kind: EntryKind;
  readonly first: number;
  readonly second: number;
}

const NO_ENTRIES: readonly Entry[] = [];

function isFrameKind(value: number): value is FrameKind {
  return value >= FrameKind.call && value <= KIND_MAX;
}

function isEntryKind(value: number): value is EntryKind {
  return value >= EntryKind.mine && value <= ENTRY_KIND_MAX;
}

/**
 * Puts the table behind the payload that the writer holds, and the header in front of it. Throws
 * `LimitExceeded`.
 */
export function finishFrame(
  writer: MessageWriter,
  kind: FrameKind,
  first: number,
  second = 0,
  third = 0,
  entries: readonly Entry[] = NO_ENTRIES,
): Uint8Array {
  for (const entry of entries) {
    writer.u32(entry.kind);
    writer.u32(entry.first);
    writer.u32(entry.second);
  }
  const { bytes, view } = writer;
  bytes[0] = kind;
  bytes[1] = VERSION;
  view.setUint16(2, entries.length, true);
  view.setUint32(4, first, true);
  view.setUint32(8, second, true);
  view.setUint32(12, third, true);
  return writer.frame();
}

/**
 * A frame from a peer, taken apart. The payload is bytes `HEADER_BYTES` to `payloadEnd`. The object
 * is used again for the next frame.
 */
export class IncomingFrame {
  kind: FrameKind = FrameKind.call;
  first = 0;
  second = 0;
  third = 0;
  payloadEnd = 0;
  entries: readonly Entry[] = NO_ENTRIES;
  bytes: Uint8Array = new Uint8Array(0);
  #view = new DataView(this.bytes.buffer);

  /** Takes a frame apart. The result says what is wrong with it; `undefined` if nothing is. */
  open(bytes: Uint8Array): string | undefined {
    const length = bytes.byteLength;
    if (length < HEADER_BYTES) return `frame of ${length} bytes has no header`;
    if (length > LIMITS.messageBytes) return `frame of ${length} bytes is too long`;
    const kind = bytes[0] ?? 0;
    if (!isFrameKind(kind)) return `unknown frame kind ${kind}`;
    if (bytes[1] !== VERSION) return `unknown protocol version ${bytes[1] ?? 0}`;
    if (
      bytes !== this.bytes &&
      (bytes.buffer !== this.#view.buffer || bytes.byteOffset !== this.#view.byteOffset)
    ) {
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.buffer.byteLength - bytes.byteOffset);
    }
    const view = this.#view;
    const count = view.getUint16(2, true);
    if (count > LIMITS.capabilitiesPerMessage) return `message carries ${count} capabilities`;
    this.bytes = bytes;
    this.kind = kind;
    this.first = view.getUint32(4, true);
    this.second = view.getUint32(8, true);
    this.third = view.getUint32(12, true);
    this.payloadEnd = length - ENTRY_BYTES * count;
    this.entries = NO_ENTRIES;
    if (count === 0) return undefined;
    if (this.payloadEnd < HEADER_BYTES) return 'table of capabilities goes beyond the frame';
    return this.#openEntries(count);
  }

  /** The payload, in place. */
  get payload(): Uint8Array {
    return this.bytes.subarray(HEADER_BYTES, this.payloadEnd);
  }

  #openEntries(count: number): string | undefined {
    const entries: Entry[] = [];
    for (let index = 0; index < count; index++) {
      const offset = this.payloadEnd + ENTRY_BYTES * index;
      const kind = this.#view.getUint32(offset, true);
      if (!isEntryKind(kind)) return `unknown capability kind ${kind}`;
      const first = this.#view.getUint32(offset + 4, true);
      entries.push({ kind, first, second: this.#view.getUint32(offset + 8, true) });
    }
    this.entries = entries;
    return undefined;
  }
}
