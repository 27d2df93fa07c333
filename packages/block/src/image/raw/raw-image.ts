/** A raw image: the bytes of the disk as they are, and nothing else. */
import { type ByteDevice, zeroRange } from '../byte-device.ts';
import { checkRange, checkWriteable, type DiskExtent, type DiskImage } from '../disk-image.ts';

/** A raw image. */
export class RawImage implements DiskImage {
  readonly format = 'raw';
  readonly writeable: boolean;
  readonly #device: ByteDevice;

  constructor(device: ByteDevice, writeable: boolean) {
    this.#device = device;
    this.writeable = writeable && device.writeable;
  }

  get sizeBytes(): number {
    return this.#device.sizeBytes;
  }

  async read(into: Uint8Array, position: number): Promise<void> {
    checkRange(this, position, into.byteLength);
    await this.#device.read(into, position);
  }

  async write(from: Uint8Array, position: number): Promise<void> {
    checkWriteable(this);
    checkRange(this, position, from.byteLength);
    await this.#device.write(from, position);
  }

  async writeZeroes(position: number, length: number): Promise<void> {
    checkWriteable(this);
    checkRange(this, position, length);
    await zeroRange(this.#device, position, length);
  }

  async discard(position: number, length: number): Promise<void> {
    checkWriteable(this);
    checkRange(this, position, length);
    await this.#device.discard(position, length);
  }

  async sync(): Promise<void> {
    if (this.writeable) await this.#device.sync();
  }

  async extent(position: number, lengthMax: number): Promise<DiskExtent> {
    checkRange(this, position, lengthMax);
    return { kind: 'data', length: lengthMax };
  }

  async resize(sizeBytes: number): Promise<void> {
    checkWriteable(this);
    await this.#device.setSize(sizeBytes);
  }

  async close(): Promise<void> {
    await this.sync();
  }
}
