/**
 * 9P on the wire: little-endian numbers, strings behind a length of two bytes, and the qid by which
 * a server names a node. What comes from a client is checked before it is used: nothing is read
 * beyond the end of its message.
 */
import { decodeName, encodeName } from '@ginit/core/file_system';

/** The number of a Linux error, as an answer has it. */
export class NinePError extends Error {
  override readonly name = 'NinePError';
  readonly errno: number;

  constructor(errno: number, message = `error ${errno}`) {
    super(message);
    this.errno = errno;
  }
}

/** Numbers of Linux errors. */
export const ERRNO = {
  noPermission: 1,
  notFound: 2,
  inputOutput: 5,
  badHandle: 9,
  tryAgain: 11,
  noMemory: 12,
  accessDenied: 13,
  busy: 16,
  exists: 17,
  crossDevice: 18,
  notADirectory: 20,
  isADirectory: 21,
  invalid: 22,
  tooManyFiles: 23,
  tooLarge: 27,
  noSpace: 28,
  readOnly: 30,
  tooManyLinks: 31,
  nameTooLong: 36,
  notEmpty: 39,
  tooManySymlinks: 40,
  protocol: 71,
  notSupported: 95,
  stale: 116,
} as const;

/** Bytes before the body of a message: its size, its type and its tag. */
export const HEADER_BYTES = 7;
/** Bytes of a qid. */
export const QID_BYTES = 13;

/** How a server names a node: what kind it is, its version, and its number. */
export interface Qid {
  readonly kind: number;
  readonly inode: number;
}

/** Reads the body of one message. Throws `NinePError` at its end. */
export class MessageReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  /** A position in a file or a directory. Throws if it is further than any of ours. */
  position(): number {
    const value = this.u64();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new NinePError(ERRNO.invalid, 'a position too far');
    return Number(value);
  }

  /** A string: a name, or a path. */
  text(): string {
    return decodeName(this.bytes(this.u16()));
  }

  /** So many bytes; the memory is that of the message. */
  bytes(count: number): Uint8Array {
    const at = this.#take(count);
    return this.#bytes.subarray(at, at + count);
  }

  /** There must be nothing more. */
  end(): void {
    if (this.#at !== this.#bytes.byteLength) throw new NinePError(ERRNO.protocol, 'a message is too long');
  }

  #take(count: number): number {
    const at = this.#at;
    if (count > this.#bytes.byteLength - at) throw new NinePError(ERRNO.protocol, 'a message is too short');
    this.#at += count;
    return at;
  }
}

/** Writes one message. */
export class MessageWriter {
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #at = HEADER_BYTES;

  /** The bytes so far, header included. */
  get length(): number {
    return this.#at;
  }

  u8(value: number): this {
    const at = this.#make(1);
    this.#view.setUint8(at, value);
    return this;
  }

  u16(value: number): this {
    const at = this.#make(2);
    this.#view.setUint16(at, value, true);
    return this;
  }

  u32(value: number): this {
    const at = this.#make(4);
    this.#view.setUint32(at, value, true);
    return this;
  }

  u64(value: number | bigint): this {
    const at = this.#make(8);
    this.#view.setBigUint64(at, BigInt(value), true);
    return this;
  }

  text(value: string): this {
    const bytes = encodeName(value);
    return this.u16(bytes.byteLength).bytes(bytes);
  }

  bytes(value: Uint8Array): this {
    const at = this.#make(value.byteLength);
    this.#bytes.set(value, at);
    return this;
  }

  qid({ kind, inode }: Qid): this {
    return this.u8(kind).u32(0).u64(inode);
  }

  /** Leaves room for the number of bytes that follow; the result is for `fillCount`. */
  reserveCount(): number {
    return this.#make(4);
  }

  /** Writes the number of bytes since `reserveCount`. */
  fillCount(at: number): void {
    this.#view.setUint32(at, this.#at - at - 4, true);
  }

  /** The message, with its header. */
  message(type: number, tag: number): Uint8Array {
    this.#view.setUint32(0, this.#at, true);
    this.#view.setUint8(4, type);
    this.#view.setUint16(5, tag, true);
    return this.#bytes.subarray(0, this.#at);
  }

  #make(count: number): number {
    const at = this.#at;
    this.#at += count;
    if (this.#at > this.#bytes.byteLength) {
      const larger = new Uint8Array(Math.max(this.#at, 2 * this.#bytes.byteLength));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
}
