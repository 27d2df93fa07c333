/** Devices in memory for tests of images. */
import type { ByteDevice } from '../../src/image/byte-device.ts';
import { ImageError } from '../../src/image/image-error.ts';

/**
 * A device of bytes in memory. Every operation takes a turn of the event loop, or as many as
 * `turns` says, so that operations end in another order than they began.
 */
export class MemoryDevice implements ByteDevice {
  readonly writeable: boolean;
  bytes: Uint8Array;
  #sizeBytes: number;
  /** The most that the device can hold. */
  sizeMax = Infinity;
  discarded = 0;
  /** Says of which writes there is no room for. */
  failWrite: (from: Uint8Array) => boolean = () => false;
  /** How many turns of the event loop the next operation takes. */
  turns: () => number = () => 1;

  constructor(bytes: Uint8Array = new Uint8Array(0), writeable = true) {
    this.bytes = bytes;
    this.#sizeBytes = bytes.byteLength;
    this.writeable = writeable;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** What it holds. */
  content(): Uint8Array {
    return this.bytes.slice(0, this.#sizeBytes);
  }

  async read(into: Uint8Array, position: number): Promise<void> {
    await this.#turn();
    if (position + into.byteLength > this.#sizeBytes) {
      throw new ImageError(
        'InputOutput',
        `a read of ${into.byteLength} bytes at ${position} goes beyond the end`,
      );
    }
    into.set(this.bytes.subarray(position, position + into.byteLength));
  }

  async write(from: Uint8Array, position: number): Promise<void> {
    await this.#turn();
    if (this.failWrite(from)) throw new ImageError('NoSpace', 'the device is full');
    this.writeNow(from, position);
  }

  /** Writes at once. */
  writeNow(from: Uint8Array, position: number): void {
    this.#grow(position + from.byteLength);
    this.bytes.set(from, position);
  }

  async sync(): Promise<void> {
    await this.#turn();
  }

  async setSize(sizeBytes: number): Promise<void> {
    await this.#turn();
    this.sizeNow(sizeBytes);
  }

  /** Changes the size at once. */
  sizeNow(sizeBytes: number): void {
    if (sizeBytes < this.#sizeBytes) {
      this.bytes.fill(0, sizeBytes);
      this.#sizeBytes = sizeBytes;
    } else this.#grow(sizeBytes);
  }

  async discard(position: number, length: number): Promise<void> {
    await this.#turn();
    this.discarded += length;
    this.bytes.fill(0, position, position + length);
  }

  /** It has none of the ways to make zeros without writing them. */
  async zero(): Promise<boolean> {
    return false;
  }

  async #turn(): Promise<void> {
    for (let left = this.turns(); left > 0; left--) await new Promise((resolve) => setImmediate(resolve));
  }

  #grow(sizeBytes: number): void {
    if (sizeBytes > this.sizeMax) throw new ImageError('NoSpace', 'the device is full');
    if (sizeBytes > this.bytes.byteLength) {
      const grown = new Uint8Array(Math.max(sizeBytes, 2 * this.bytes.byteLength));
      grown.set(this.bytes);
      this.bytes = grown;
    }
    this.#sizeBytes = Math.max(this.#sizeBytes, sizeBytes);
  }
}
