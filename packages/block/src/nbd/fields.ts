/**
 * Reads the fields of a message that came from outside: every length is compared with what is
 * there.
 */
import { viewOf } from '../lib/byte-reader.ts';
import { protocolError } from './nbd-error.ts';
import { NBD_LIMITS } from './protocol.ts';

export class Fields {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
  }

  /** The bytes that were not read yet. */
  get left(): number {
    return this.#bytes.byteLength - this.#at;
  }

  u16(): number {
    return this.#view.getUint16(this.#skip(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#skip(4));
  }

  /** A size or a position, which must be one that a device of ours can have. */
  u64(): number {
    const value = this.#view.getBigUint64(this.#skip(8));
    if (value > BigInt(Number.MAX_SAFE_INTEGER))
      throw protocolError(`${value} bytes are no size of a device`);
    return Number(value);
  }

  /** A text of so many bytes. */
  text(bytes: number): string {
    if (bytes > NBD_LIMITS.textBytes) throw protocolError(`a text of ${bytes} bytes is too long`);
    const at = this.#skip(bytes);
    return new TextDecoder().decode(this.#bytes.subarray(at, at + bytes));
  }

  /** A text behind its length. */
  countedText(): string {
    return this.text(this.u32());
  }

  /** Says that nothing more may follow. */
  end(): void {
    if (this.left > 0) throw protocolError(`a message has ${this.left} bytes too many`);
  }

  #skip(bytes: number): number {
    if (bytes > this.left) throw protocolError(`a message ends ${bytes - this.left} bytes too early`);
    const at = this.#at;
    this.#at += bytes;
    return at;
  }
}

/** Makes a message of numbers and texts, the other way round. */
export class FieldWriter {
  readonly #parts: Uint8Array[] = [];

  u16(value: number): this {
    return this.#number(2, (view) => view.setUint16(0, value));
  }

  u32(value: number): this {
    return this.#number(4, (view) => view.setUint32(0, value));
  }

  u64(value: number | bigint): this {
    return this.#number(8, (view) => view.setBigUint64(0, BigInt(value)));
  }

  text(value: string): this {
    return this.bytes(new TextEncoder().encode(value));
  }

  countedText(value: string): this {
    const bytes = new TextEncoder().encode(value);
    return this.u32(bytes.byteLength).bytes(bytes);
  }

  bytes(value: Uint8Array): this {
    this.#parts.push(value);
    return this;
  }

  done(): Uint8Array {
    const bytes = new Uint8Array(this.#parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.byteLength;
    }
    return bytes;
  }

  #number(bytes: number, write: (view: DataView) => void): this {
    const part = new Uint8Array(bytes);
    write(viewOf(part));
    return this.bytes(part);
  }
}
