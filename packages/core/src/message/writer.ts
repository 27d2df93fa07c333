/**
 * Writes the payload of a message: plain fields, one after the other, little endian, without names
 * or types, because both ends know the shapes they declare (`interface/shapes.ts`). Lengths and
 * counts take one byte below 253, else a mark (253 or 254) and two or four bytes.
 *
 * Each thread has one buffer, which is used again for every message. A message that begins while
 * another one is being written (a getter that calls somebody) gets a buffer of its own.
 */
import { RpcError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { PrefixViews } from './prefix-views.ts';

/**
 * Collects the things that travel beside the payload, as entries of the frame's table:
 * capabilities, dataspaces, streams.
 */
export interface OutgoingTable {
  /**
   * Adds an entry for `value`; true if its content has to follow in the payload. Throws `RpcError`.
   */
  add(value: object): boolean;
}

/** Marks of counts that take two or four bytes. */
export const COUNT_16 = 253;
export const COUNT_32 = 254;

/** Room at the front of the buffer for the header of a frame. */
export const HEADER_BYTES = 16;

const FIRST_BYTES = 4096;
/** A buffer that has grown beyond this is not kept. */
const KEPT_BYTES_MAX = 1024 * 1024;
/** Texts up to this length are written character by character, as long as they are ASCII. */
const SHORT_TEXT = 64;

const encoder = new TextEncoder();

function tooLong(): never {
  throw new RpcError('LimitExceeded', `a message of more than ${LIMITS.messageBytes} bytes is too long`);
}

/**
 * A message that is being written. The header in front of the payload is the frame's
 * (`channel/frame.ts`).
 */
export class MessageWriter {
  bytes = new Uint8Array(FIRST_BYTES);
  view = new DataView(this.bytes.buffer);
  /** The position of the next byte. */
  at = HEADER_BYTES;
  /** The table of the message; missing until it carries something. */
  table: OutgoingTable | undefined;
  #makeTable: (() => OutgoingTable) | undefined;
  readonly #views = new PrefixViews();

  /** Begins a message. `makeTable` is called when the message first carries something. */
  begin(makeTable?: () => OutgoingTable): void {
    this.at = HEADER_BYTES;
    this.table = undefined;
    this.#makeTable = makeTable;
  }

  /**
   * Makes room for `count` bytes and moves on. The result is the position of the room. Throws
   * `LimitExceeded`.
   */
  take(count: number): number {
    const at = this.at;
    const end = at + count;
    if (end > this.bytes.byteLength) this.#grow(end);
    this.at = end;
    return at;
  }

  u8(value: number): void {
    const at = this.take(1);
    this.bytes[at] = value;
  }

  u16(value: number): void {
    const at = this.take(2);
    this.view.setUint16(at, value, true);
  }

  u32(value: number): void {
    const at = this.take(4);
    this.view.setUint32(at, value, true);
  }

  f64(value: number): void {
    const at = this.take(8);
    this.view.setFloat64(at, value, true);
  }

  /** Writes a length or count. */
  count(value: number): void {
    if (value < COUNT_16) return this.u8(value);
    if (value <= 0xffff) {
      this.u8(COUNT_16);
      return this.u16(value);
    }
    this.u8(COUNT_32);
    this.u32(value);
  }

  /** Writes a text, as UTF-8 with its length in front. */
  text(value: string): void {
    const { length } = value;
    if (length > SHORT_TEXT || !this.#ascii(value)) this.#utf8(value);
  }

  /** Writes bytes with their length in front. */
  blob(value: Uint8Array): void {
    this.count(value.byteLength);
    this.raw(value);
  }

  /** Writes bytes as they are. */
  raw(value: Uint8Array): void {
    const at = this.take(value.byteLength);
    this.bytes.set(value, at);
  }

  /**
   * Adds a capability, dataspace or stream as the next entry of the table. True if its content has
   * to follow in the payload.
   */
  carry(value: object): boolean {
    this.table ??= this.#makeTable?.();
    if (!this.table) throw new RpcError('NotShareable', 'nothing can be carried here');
    return this.table.add(value);
  }

  /** The message so far, header included; valid until the next one begins. */
  frame(): Uint8Array {
    return this.#views.upTo(this.bytes, this.at);
  }

  /** The payload alone. */
  payload(): Uint8Array {
    return this.bytes.subarray(HEADER_BYTES, this.at);
  }

  #ascii(value: string): boolean {
    const start = this.at;
    let at = this.take(value.length + 1);
    const { bytes } = this;
    bytes[at++] = value.length;
    for (let index = 0; index < value.length; index++) {
      const unit = value.charCodeAt(index);
      if (unit > 0x7f) {
        this.at = start;
        return false;
      }
      bytes[at++] = unit;
    }
    return true;
  }

  #utf8(value: string): void {
    const start = this.at;
    // Room for the worst case, but no more than a frame has: a text that does not fit then is
    // really too long.
    this.take(Math.max(5, Math.min(5 + value.length * 3, LIMITS.frameBytes - start)));
    this.bytes[start] = COUNT_32;
    const { read, written } = encoder.encodeInto(value, this.bytes.subarray(start + 5, this.at));
    if (read < value.length) tooLong();
    this.view.setUint32(start + 1, written, true);
    this.at = start + 5 + written;
  }

  #grow(needed: number): void {
    if (needed > LIMITS.frameBytes) tooLong();
    const grown = new Uint8Array(Math.max(needed, this.bytes.byteLength * 2));
    grown.set(this.bytes.subarray(0, this.at));
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }
}

let idle: MessageWriter | undefined = new MessageWriter();

/** A writer with a message begun; to be given back when the message has been sent. */
export function takeWriter(makeTable?: () => OutgoingTable): MessageWriter {
  const writer = idle ?? new MessageWriter();
  idle = undefined;
  writer.begin(makeTable);
  return writer;
}

/** The writer's message has been sent, or will not be. */
export function giveBackWriter(writer: MessageWriter): void {
  writer.begin();
  if (writer.bytes.byteLength <= KEPT_BYTES_MAX) idle = writer;
}
