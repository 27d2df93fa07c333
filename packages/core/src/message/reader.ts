/**
 * Reads what a `MessageWriter` has written, as a peer sends it: nothing is trusted, every length is
 * compared with the bytes that are there before anything is made of it. The bytes are a private
 * copy, so what was checked stays so.
 */
import { RpcError } from '../errors.ts';
import { COUNT_16, COUNT_32 } from './writer.ts';

/** The things that travel beside the payload, in the order of the table's entries. */
export interface IncomingTable {
  /**
   * The capability, dataspace or stream of the next entry. `reader` holds its content, if that
   * follows in the payload. Throws `RpcError`.
   */
  next(reader: MessageReader): object;
}

const CACHED_TEXT = 32;
const CACHE_SLOTS = 512;
/**
 * Short texts that were read lately, by a hash of their bytes, because names and words come again
 * and again.
 */
const cache: string[] = Array.from({ length: CACHE_SLOTS }, () => '');

/** A byte order mark is a character like any other, so that texts arrive unchanged. */
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Throws the error for a message that does not have the shape that it should have. */
export function malformed(what = 'malformed message'): never {
  throw new RpcError('InvalidArgument', what);
}

/** A message that is being read. */
export class MessageReader {
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(this.bytes.buffer);
  at = 0;
  end = 0;
  #table: IncomingTable | undefined;

  /** Begins with bytes `start` to `end` of `bytes`. */
  begin(bytes: Uint8Array, start: number, end: number, table?: IncomingTable): void {
    if (bytes === this.bytes) {
      // The buffer is the same as before, so its view is still right.
    } else if (bytes.buffer !== this.view.buffer || bytes.byteOffset !== this.view.byteOffset) {
      this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.buffer.byteLength - bytes.byteOffset);
    }
    this.bytes = bytes;
    this.at = start;
    this.end = end;
    this.#table = table;
  }

  /** Forgets the table of the message. */
  letGo(): void {
    this.#table = undefined;
  }

  /**
   * Moves on by `count` bytes. The result is the position of these bytes. Throws `InvalidArgument`
   * if there are not as many.
   */
  take(count: number): number {
    const at = this.at;
    if (count > this.end - at) malformed();
    this.at = at + count;
    return at;
  }

  get left(): number {
    return this.end - this.at;
  }

  u8(): number {
    return this.bytes[this.take(1)] ?? 0;
  }

  u16(): number {
    return this.view.getUint16(this.take(2), true);
  }

  u32(): number {
    return this.view.getUint32(this.take(4), true);
  }

  f64(): number {
    return this.view.getFloat64(this.take(8), true);
  }

  /** Reads a length or count. */
  count(): number {
    const first = this.u8();
    if (first < COUNT_16) return first;
    if (first === COUNT_16) return this.u16();
    return first === COUNT_32 ? this.u32() : malformed();
  }

  text(): string {
    const length = this.count();
    const at = this.take(length);
    return length <= CACHED_TEXT
      ? this.#short(at, length)
      : decoder.decode(this.bytes.subarray(at, at + length));
  }

  /** Reads bytes, as a copy. */
  blob(): Uint8Array {
    const length = this.count();
    const at = this.take(length);
    return this.bytes.slice(at, at + length);
  }

  /** The capability, dataspace or stream of the next entry of the table. */
  carried(): object {
    return this.#table ? this.#table.next(this) : malformed('malformed message: carries nothing');
  }

  /** Throws unless the message was read to its end. */
  finish(): void {
    if (this.at !== this.end) malformed();
  }

  #short(at: number, length: number): string {
    const { bytes } = this;
    let hash = length;
    for (let index = 0; index < length; index++) hash = (Math.imul(hash, 31) + (bytes[at + index] ?? 0)) | 0;
    const slot = (hash ^ (hash >>> 9)) & (CACHE_SLOTS - 1);
    const known = cache[slot] ?? '';
    if (known.length === length) {
      let index = 0;
      // A byte that is no ASCII never compares equal, because the cache holds only ASCII.
      while (index < length && known.charCodeAt(index) === bytes[at + index]) index++;
      if (index === length) return known;
    }
    const made = decoder.decode(bytes.subarray(at, at + length));
    if (isAscii(made, length)) cache[slot] = made;
    return made;
  }
}

/** Whether a text made of `length` bytes is ASCII: one unit a byte, none above 0x7f. */
function isAscii(text: string, length: number): boolean {
  if (text.length !== length) return false;
  for (let index = 0; index < length; index++) if (text.charCodeAt(index) > 0x7f) return false;
  return true;
}

let idle: MessageReader | undefined = new MessageReader();

/** A reader, to be given back when the message has been read. */
export function takeReader(): MessageReader {
  const reader = idle ?? new MessageReader();
  idle = undefined;
  return reader;
}

/** The message has been read. */
export function giveBackReader(reader: MessageReader): void {
  reader.letGo();
  idle = reader;
}
