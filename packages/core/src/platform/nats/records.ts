/** The records in data datagrams: what channels say. docs/cluster.md has the layout. */
import { LIMITS } from '../../limits.ts';
import { readU53, viewOf, writeU53 } from './datagram.ts';

export const RecordKind = { part: 1, open: 2, room: 3, closed: 4 } as const;
export type RecordKind = (typeof RecordKind)[keyof typeof RecordKind];

/** The flag of the last part of a frame. */
export const LAST_PART = 1;
/** The flags of `closed`: why. */
export const CLOSED_FLAG = { closed: 0, accused: 1, overrun: 2 } as const;

/** Bytes of an acknowledgement, which comes first in every sealed body. */
export const ACKNOWLEDGEMENT_BYTES = 12;
export const RECORD_HEADER_BYTES = 12;

/** What one end has got of the other's datagrams. */
export interface Acknowledgement {
  readonly next: number;
  readonly windowBytes: number;
}

export function writeAcknowledgement(view: DataView, { next, windowBytes }: Acknowledgement): void {
  writeU53(view, 0, next);
  view.setUint32(8, windowBytes, true);
}

/** The acknowledgement in a body; `undefined` if there is none. */
export function readAcknowledgement(body: Uint8Array): Acknowledgement | undefined {
  if (body.byteLength < ACKNOWLEDGEMENT_BYTES) return undefined;
  const view = viewOf(body);
  const next = readU53(view, 0);
  return Number.isSafeInteger(next) ? { next, windowBytes: view.getUint32(8, true) } : undefined;
}

/**
 * All links of a thread put their bodies together here, one after the other: a node may have
 * thousands of links, most of which say nothing.
 */
let shared: Uint8Array | undefined;

/** Puts the body of a data datagram together, in a buffer that is used again. */
export class RecordWriter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = ACKNOWLEDGEMENT_BYTES;

  constructor(limitBytes: number) {
    shared ??= new Uint8Array(LIMITS.busDatagramBytes);
    this.#bytes = shared.subarray(0, limitBytes);
    this.#view = viewOf(this.#bytes);
  }

  begin(acknowledgement: Acknowledgement): void {
    writeAcknowledgement(this.#view, acknowledgement);
    this.#at = ACKNOWLEDGEMENT_BYTES;
  }

  /** Whether nothing was written since `begin`. */
  get empty(): boolean {
    return this.#at === ACKNOWLEDGEMENT_BYTES;
  }

  /** The longest record that still has room, without its header; negative if none has. */
  get room(): number {
    return this.#bytes.byteLength - this.#at - RECORD_HEADER_BYTES;
  }

  /** Writes a record that has room. */
  add(kind: RecordKind, flags: number, channel: number, bytes: Uint8Array): void {
    const view = this.#view;
    view.setUint8(this.#at, kind);
    view.setUint8(this.#at + 1, flags);
    view.setUint16(this.#at + 2, 0, true);
    view.setUint32(this.#at + 4, channel, true);
    view.setUint32(this.#at + 8, bytes.byteLength, true);
    this.#bytes.set(bytes, this.#at + RECORD_HEADER_BYTES);
    this.#at += RECORD_HEADER_BYTES + bytes.byteLength;
  }

  /** The body, valid until the next `begin` of any writer. */
  get body(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }
}

/** A record, in place. */
export interface LinkRecord {
  readonly kind: number;
  readonly flags: number;
  readonly channel: number;
  readonly bytes: Uint8Array;
}

/** Reads the record at an offset of a body; `undefined` if it goes beyond the body. */
export function readRecord(body: Uint8Array, at: number): LinkRecord | undefined {
  if (body.byteLength - at < RECORD_HEADER_BYTES) return undefined;
  const view = viewOf(body);
  const length = view.getUint32(at + 8, true);
  const start = at + RECORD_HEADER_BYTES;
  if (view.getUint16(at + 2, true) !== 0 || length > body.byteLength - start) return undefined;
  return {
    kind: view.getUint8(at),
    flags: view.getUint8(at + 1),
    channel: view.getUint32(at + 4, true),
    bytes: body.subarray(start, start + length),
  };
}
