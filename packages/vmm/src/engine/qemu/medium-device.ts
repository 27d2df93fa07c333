/** What lies in a drive of a machine, as QEMU has it: bytes of an export, which end in zeros. */
import type { Extent, NbdDevice } from '@ginit/block/nbd';
import { assert } from '@ginit/core';
import type { Medium } from '../engine.ts';

const SECTOR_BYTES = 512;

/** One medium. What is written to it is on stable storage before the answer. */
export class MediumDevice implements NbdDevice {
  readonly sizeBytes: number;
  readonly writeable: boolean;
  readonly minimumBytes = SECTOR_BYTES;
  readonly #medium: Medium;

  constructor(medium: Medium) {
    this.#medium = medium;
    this.writeable = medium.write !== undefined;
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

  async write(position: number, bytes: number, parts: readonly Uint8Array[]): Promise<void> {
    const medium = this.#medium;
    assert(medium.write !== undefined, 'what is not writeable is not written');
    assert(position + bytes <= medium.sizeBytes, 'what is written has whole sectors');
    const whole = new Uint8Array(bytes);
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.byteLength;
    }
    await medium.write(position, whole);
  }

  async flush(): Promise<void> {}

  /** A floppy disk has nothing to give back. */
  async trim(): Promise<void> {}

  writeZeroes(position: number, bytes: number): Promise<void> {
    return this.write(position, bytes, [new Uint8Array(bytes)]);
  }

  async extents(_position: number, bytes: number): Promise<readonly Extent[]> {
    return [{ bytes, zero: false }];
  }
}
