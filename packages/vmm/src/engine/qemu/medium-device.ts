/** What lies in a drive of a machine, as QEMU reads it: bytes of an export, which end in zeros. */
import type { Extent, NbdDevice } from '@ginit/block/nbd';
import { assert } from '@ginit/core';
import type { Medium } from '../engine.ts';

const SECTOR_BYTES = 512;

/** One medium. It is only read. */
export class MediumDevice implements NbdDevice {
  readonly sizeBytes: number;
  readonly writeable = false;
  readonly minimumBytes = SECTOR_BYTES;
  readonly #medium: Medium;

  constructor(medium: Medium) {
    this.#medium = medium;
    this.sizeBytes = Math.ceil(medium.sizeBytes / SECTOR_BYTES) * SECTOR_BYTES;
  }

  async read(position: number, bytes: number, use: (payload: Uint8Array) => void): Promise<void> {
    const there = Math.max(0, Math.min(bytes, this.#medium.sizeBytes - position));
    const content = there === 0 ? new Uint8Array(0) : await this.#medium.read(position, there);
    if (there === bytes) return use(content);
    const filled = new Uint8Array(bytes);
    filled.set(content.subarray(0, there));
    use(filled);
  }

  write(): Promise<void> {
    assert(false, 'what is not writeable is not written');
  }

  async flush(): Promise<void> {}

  trim(): Promise<void> {
    return this.write();
  }

  writeZeroes(): Promise<void> {
    return this.write();
  }

  async extents(_position: number, bytes: number): Promise<readonly Extent[]> {
    return [{ bytes, zero: false }];
  }
}
