/**
 * A device for images that mean harm: it counts what is asked of it, and holds as little as was
 * written, wherever that is.
 */
import type { ByteDevice } from '../../src/image/byte-device.ts';
import { ImageError } from '../../src/image/image-error.ts';

const PAGE_BYTES = 4096;
/** What file systems of hosts take. */
const POSITION_MAX = 2 ** 43;
/** More than any one table needs. */
const TRANSFER_BYTES_MAX = 80 * 1024 * 1024;

/** Something was done that no image may bring about. */
export class OutOfBounds extends Error {}

/** The device. */
export class HostileDevice implements ByteDevice {
  readonly writeable = true;
  readonly #pages = new Map<number, Uint8Array>();
  sizeBytes: number;
  operations = 0;
  bytes = 0;

  constructor(content: Uint8Array) {
    this.sizeBytes = content.byteLength;
    this.#put(content, 0);
  }

  async read(into: Uint8Array, position: number): Promise<void> {
    this.#count(into.byteLength, position);
    if (position + into.byteLength > this.sizeBytes)
      throw new OutOfBounds(`a read beyond the end at ${position}`);
    for (let at = 0; at < into.byteLength; ) {
      const within = (position + at) % PAGE_BYTES;
      const part = into.subarray(at, at + PAGE_BYTES - within);
      const page = this.#pages.get(Math.floor((position + at) / PAGE_BYTES));
      if (page) part.set(page.subarray(within, within + part.byteLength));
      else part.fill(0);
      at += part.byteLength;
    }
  }

  async write(from: Uint8Array, position: number): Promise<void> {
    this.#count(from.byteLength, position);
    if (position + from.byteLength > POSITION_MAX)
      throw new ImageError('InputOutput', 'the file is too large');
    this.#put(from, position);
    this.sizeBytes = Math.max(this.sizeBytes, position + from.byteLength);
  }

  async sync(): Promise<void> {
    this.#count(0, 0);
  }

  async setSize(sizeBytes: number): Promise<void> {
    this.#count(0, sizeBytes);
    if (sizeBytes > POSITION_MAX) throw new ImageError('InputOutput', 'the file is too large');
    this.sizeBytes = sizeBytes;
  }

  async discard(position: number, length: number): Promise<void> {
    this.#count(0, position);
    if (position + length > this.sizeBytes) throw new OutOfBounds(`a discard beyond the end at ${position}`);
  }

  async zero(position: number, length: number): Promise<boolean> {
    this.#count(0, position);
    if (position + length > this.sizeBytes) throw new OutOfBounds(`zeros beyond the end at ${position}`);
    for (const [page, bytes] of this.#pages) {
      const at = page * PAGE_BYTES;
      if (at + PAGE_BYTES <= position || at >= position + length) continue;
      bytes.fill(0, Math.max(0, position - at), Math.min(PAGE_BYTES, position + length - at));
    }
    return true;
  }

  #count(bytes: number, position: number): void {
    this.operations++;
    this.bytes += bytes;
    if (!Number.isSafeInteger(position) || position < 0) throw new OutOfBounds(`position ${position}`);
    if (bytes > TRANSFER_BYTES_MAX) throw new OutOfBounds(`a transfer of ${bytes} bytes`);
  }

  #put(from: Uint8Array, position: number): void {
    for (let at = 0; at < from.byteLength; ) {
      const number = Math.floor((position + at) / PAGE_BYTES);
      const within = (position + at) % PAGE_BYTES;
      const part = from.subarray(at, at + PAGE_BYTES - within);
      const page = this.#pages.get(number) ?? new Uint8Array(PAGE_BYTES);
      this.#pages.set(number, page);
      page.set(part, within);
      at += part.byteLength;
    }
  }
}
