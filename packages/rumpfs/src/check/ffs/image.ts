import { FsError, messageOf } from '../../errors.ts';
import type { BlockIo } from '../../hypercall/hypercalls.ts';
import { Device } from '../device.ts';
import type { FfsGeometry } from './geometry.ts';

/** More changes than that in one pass are written while it goes on. */
const CHANGED_FRAGMENTS_MAX = 16_384;

/** The fragments of an FFS, with what a repair has changed in them and not yet written. */
export class FfsImage {
  readonly #bio: BlockIo;
  #device: Device;
  readonly #fragmentBytes: number;
  readonly #changed = new Map<number, Uint8Array>();

  constructor(bio: BlockIo, geometry: FfsGeometry) {
    this.#bio = bio;
    this.#device = new Device(bio);
    this.#fragmentBytes = geometry.fsize;
  }

  /** The bytes of adjacent fragments, in memory of their own. */
  async read(first: number, count: number): Promise<Uint8Array> {
    const size = this.#fragmentBytes;
    const bytes = (await this.#device.bytes(first * size, count * size)).slice();
    for (let index = 0; index < count; index += 1) {
      const changed = this.#changed.get(first + index);
      if (changed !== undefined) bytes.set(changed, index * size);
    }
    return bytes;
  }

  /** Changes adjacent fragments, whole. */
  async change(first: number, bytes: Uint8Array): Promise<void> {
    const size = this.#fragmentBytes;
    for (let index = 0; index * size < bytes.length; index += 1)
      this.#changed.set(first + index, bytes.slice(index * size, (index + 1) * size));
    if (this.#changed.size > CHANGED_FRAGMENTS_MAX) await this.write();
  }

  /** Changes bytes at a byte position, within one fragment or several. */
  async changeAt(position: number, bytes: Uint8Array): Promise<void> {
    const size = this.#fragmentBytes;
    const first = Math.floor(position / size);
    const count = Math.ceil((position + bytes.length) / size) - first;
    const whole = await this.read(first, count);
    whole.set(bytes, position - first * size);
    await this.change(first, whole);
  }

  /** Writes the changes. Rejects with `InputOutput`. */
  async write(): Promise<void> {
    const perFragment = this.#fragmentBytes / this.#bio.sectorSizeBytes;
    try {
      for (const [fragment, bytes] of this.#changed) await this.#bio.write(fragment * perFragment, bytes);
      await this.#bio.sync();
    } catch (error) {
      throw new FsError('InputOutput', `the device cannot be written: ${messageOf(error)}`);
    }
    this.#changed.clear();
    this.#device = new Device(this.#bio);
  }
}
