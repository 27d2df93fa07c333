import { decodeName, NAME_BYTES_MAX } from '@ginit/core/file_system';
import { ERRNO, Refused } from '../errno.ts';
import { HEADER_BYTES } from './constants.ts';

/**
 * A message of the kernel: the fields of its header, and a reader of what follows. What is not
 * taken before the end of the turn is gone, because the next message comes in the same memory.
 */
export class Request {
  readonly opcode: number;
  /** The number by which it is answered and interrupted. */
  readonly unique: number;
  readonly node: number;
  readonly uid: number;
  readonly gid: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at: number = HEADER_BYTES.request;

  /** Throws RangeError if the message is shorter than a header, or than it says. */
  constructor(message: Uint8Array) {
    const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
    const length = view.getUint32(0, true);
    if (length < HEADER_BYTES.request || length > message.byteLength)
      throw new RangeError(`a message of ${message.byteLength} bytes says that it has ${length}`);
    this.#bytes = message.subarray(0, length);
    this.#view = view;
    this.opcode = view.getUint32(4, true);
    this.unique = u64At(view, 8);
    this.node = u64At(view, 16);
    this.uid = view.getUint32(24, true);
    this.gid = view.getUint32(28, true);
  }

  u32(): number {
    const value = this.#view.getUint32(this.#at, true);
    this.#at += 4;
    return value;
  }

  u64(): number {
    const value = u64At(this.#view, this.#at);
    this.#at += 8;
    return value;
  }

  /** Seconds, which may be negative. */
  i64(): number {
    const value = this.#view.getInt32(this.#at + 4, true) * 2 ** 32 + this.#view.getUint32(this.#at, true);
    this.#at += 8;
    return value;
  }

  skip(bytes: number): this {
    this.#at += bytes;
    return this;
  }

  /** A name or target, up to its zero. Throws ENAMETOOLONG. */
  name(bytesMax = NAME_BYTES_MAX): string {
    const end = this.#bytes.indexOf(0, this.#at);
    if (end < 0) throw new RangeError('a name without an end');
    if (end - this.#at > bytesMax) throw new Refused(ERRNO.ENAMETOOLONG);
    const name = decodeName(this.#bytes.subarray(this.#at, end));
    this.#at = end + 1;
    return name;
  }

  /** A copy of the next bytes. */
  copy(length: number): Uint8Array {
    if (this.#at + length > this.#bytes.length) throw new RangeError('a message is shorter than its data');
    return this.#bytes.slice(this.#at, this.#at + length);
  }
}

/**
 * A number of 64 bits. Offsets of the kernel stay below 2 ** 63, where a double is not exact any
 * more beyond 2 ** 53; whoever uses one as an offset compares it with what is exact.
 */
function u64At(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}
