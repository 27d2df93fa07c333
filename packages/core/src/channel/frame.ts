/**
 * Frames: what channels exchange. A frame is a fixed header, a table of what it carries (capabilities, dataspaces,
 * streams), and a payload. All numbers are little endian.
 *
 *     offset 0  u8   kind                 offset 4   u32  first word
 *            1  u8   version (1)                 8   u32  second word
 *            2  u16  entries in the table       12   u32  third word
 *     16 + 12 i      entry i: u32 kind, u32 first, u32 second
 *     then           payload
 *
 * What the words mean depends on the kind; see `FrameKind` and `EntryKind`.
 */
import { LIMITS } from '../limits.ts';

/** What a frame asks for. Words not named are zero. */
export const FrameKind = {
  /** call id, export index of the object; payload: [operation, arguments] */
  call: 1,
  /** call id; payload: result */
  result: 2,
  /** call id; payload: [code, message] */
  failure: 3,
  /** export index, references given back */
  release: 4,
  /** export index of the signal context */
  signal: 5,
  /** import index: the receiver took the signal, another one may be sent */
  signalTaken: 6,
  /** giver's component id, introduction number, export index: the capability that the giver announced */
  introduction: 7,
  /** stream id, whose end sent it (0: the end that opened the stream); payload: a frame of the packet stream */
  stream: 8,
  /** stream id, as above: this end of the stream is closed */
  streamClosed: 9,
} as const;
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind];

/** What an entry of a frame's table stands for. */
export const EntryKind = {
  /** An object or signal context of the sender: export index. */
  mine: 1,
  /** An object of the receiver: export index. */
  yours: 2,
  /** An object of a third component: introduction number, the owner's component id; it will introduce it to us. */
  theirs: 3,
  /** A writeable dataspace: bytes, index in the memory that travels along. */
  ram: 4,
  /** A sealed dataspace: bytes, index in the memory that travels along, or `CONTENT_INLINE`. */
  rom: 5,
  /** A new packet stream: stream id, index in the memory that travels along, or `CONTENT_INLINE`. */
  stream: 6,
  /** A capability whose owner is gone; words zero. */
  gone: 7,
} as const;
export type EntryKind = (typeof EntryKind)[keyof typeof EntryKind];

/** In a dataspace or stream entry: no memory travels along; each end uses its own. */
export const CONTENT_INLINE = 0xffff_ffff;

const VERSION = 1;
const HEADER_BYTES = 16;
const ENTRY_BYTES = 12;

/** One entry of the table. */
export interface Entry {
  readonly kind: EntryKind;
  readonly first: number;
  readonly second: number;
}

/** A frame, taken apart. */
export interface Frame {
  readonly kind: FrameKind;
  readonly first: number;
  readonly second: number;
  readonly third: number;
  readonly entries: readonly Entry[];
  readonly payload: Uint8Array;
}

const FRAME_KINDS: ReadonlySet<number> = new Set(Object.values(FrameKind));
const ENTRY_KINDS: ReadonlySet<number> = new Set(Object.values(EntryKind));
const NO_PAYLOAD = new Uint8Array(0);
const NO_ENTRIES: readonly Entry[] = [];

function isFrameKind(value: number): value is FrameKind {
  return FRAME_KINDS.has(value);
}

function isEntryKind(value: number): value is EntryKind {
  return ENTRY_KINDS.has(value);
}

/** The words of a frame; those left out are zero. */
export interface FrameWords {
  readonly first?: number;
  readonly second?: number;
  readonly third?: number;
}

/** Builds a frame. */
export function encodeFrame(
  kind: FrameKind,
  words: FrameWords,
  payload: Uint8Array = NO_PAYLOAD,
  entries: readonly Entry[] = NO_ENTRIES,
): Uint8Array {
  const payloadOffset = HEADER_BYTES + ENTRY_BYTES * entries.length;
  const frame = new Uint8Array(payloadOffset + payload.byteLength);
  const view = new DataView(frame.buffer);
  view.setUint8(0, kind);
  view.setUint8(1, VERSION);
  view.setUint16(2, entries.length, true);
  view.setUint32(4, words.first ?? 0, true);
  view.setUint32(8, words.second ?? 0, true);
  view.setUint32(12, words.third ?? 0, true);
  let offset = HEADER_BYTES;
  for (const entry of entries) {
    view.setUint32(offset, entry.kind, true);
    view.setUint32(offset + 4, entry.first, true);
    view.setUint32(offset + 8, entry.second, true);
    offset += ENTRY_BYTES;
  }
  frame.set(payload, payloadOffset);
  return frame;
}

/** Takes a frame from a peer apart, or says what is wrong with it. */
export function decodeFrame(bytes: Uint8Array): Frame | string {
  if (bytes.byteLength < HEADER_BYTES) return `frame of ${bytes.byteLength} bytes has no header`;
  if (bytes.byteLength > LIMITS.messageBytes) return `frame of ${bytes.byteLength} bytes is too long`;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kind = view.getUint8(0);
  if (!isFrameKind(kind)) return `unknown frame kind ${kind}`;
  if (view.getUint8(1) !== VERSION) return `unknown protocol version ${view.getUint8(1)}`;
  const count = view.getUint16(2, true);
  if (count > LIMITS.capabilitiesPerMessage) return `message carries ${count} capabilities`;
  const payloadOffset = HEADER_BYTES + ENTRY_BYTES * count;
  if (payloadOffset > bytes.byteLength) return 'table of capabilities goes beyond the frame';
  const entries = decodeEntries(view, count);
  if (typeof entries === 'string') return entries;
  return {
    kind,
    first: view.getUint32(4, true),
    second: view.getUint32(8, true),
    third: view.getUint32(12, true),
    entries,
    payload: bytes.subarray(payloadOffset),
  };
}

function decodeEntries(view: DataView, count: number): readonly Entry[] | string {
  if (count === 0) return NO_ENTRIES;
  const entries: Entry[] = [];
  for (let index = 0; index < count; index++) {
    const offset = HEADER_BYTES + ENTRY_BYTES * index;
    const kind = view.getUint32(offset, true);
    if (!isEntryKind(kind)) return `unknown capability kind ${kind}`;
    entries.push({ kind, first: view.getUint32(offset + 4, true), second: view.getUint32(offset + 8, true) });
  }
  return entries;
}
