import { FsError, messageOf } from '../../errors.ts';
import type { BlockIo } from '../../hypercall/hypercalls.ts';
import { Device } from '../device.ts';

/** More changes than that in one pass are written while it goes on. */
const CHANGED_SECTORS_MAX = 16_384;

/** The bytes of a device, with what a repair has changed in them and not yet written. */
export class ExfatImage {
  readonly #bio: BlockIo;
  #device: Device;
  readonly #changed = new Map<number, Uint8Array>();

  constructor(bio: BlockIo) {
    this.#bio = bio;
    this.#device = new Device(bio);
  }

  get sizeBytes(): number {
    return this.#device.sizeBytes;
  }

  /** Bytes from a position on, in memory of their own. Rejects as `bytesAt` does. */
  async read(position: number, length: number): Promise<Uint8Array> {
    const bytes = (await this.#device.bytes(position, length)).slice();
    if (this.#changed.size === 0) return bytes;
    const size = this.#bio.sectorSizeBytes;
    for (let sector = Math.floor(position / size); sector * size < position + length; sector += 1) {
      const changed = this.#changed.get(sector);
      if (changed === undefined) continue;
      const from = Math.max(position, sector * size);
      const end = Math.min(position + length, (sector + 1) * size);
      bytes.set(changed.subarray(from - sector * size, end - sector * size), from - position);
    }
    return bytes;
  }

  /** Changes bytes from a position on. */
  async change(position: number, bytes: Uint8Array): Promise<void> {
    const size = this.#bio.sectorSizeBytes;
    const first = Math.floor(position / size);
    const count = Math.ceil((position + bytes.length) / size) - first;
    const whole = await this.read(first * size, count * size);
    whole.set(bytes, position - first * size);
    for (let index = 0; index < count; index += 1)
      this.#changed.set(first + index, whole.slice(index * size, (index + 1) * size));
    if (this.#changed.size > CHANGED_SECTORS_MAX) await this.write();
  }

  /** Writes the changes. Rejects with `InputOutput`. */
  async write(): Promise<void> {
    if (this.#changed.size === 0) return;
    try {
      for (const [sector, bytes] of this.#changed) await this.#bio.write(sector, bytes);
      await this.#bio.sync();
    } catch (error) {
      throw new FsError('InputOutput', `the device cannot be written: ${messageOf(error)}`);
    }
    this.#changed.clear();
    this.#device = new Device(this.#bio);
  }
}
