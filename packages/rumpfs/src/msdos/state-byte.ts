import type { BlockIo } from '../hypercall/hypercalls.ts';
import { writeReserved } from '../fat/raw-sector.ts';

const DIRTY_BIT = 0x01;

/** The byte of the boot sector that says whether the volume is in use. Old FATs have none. */
export class StateByte {
  readonly #bio: BlockIo;
  readonly #offset: number | undefined;
  #value: number;

  constructor(bio: BlockIo, bootSector: Uint8Array, offset: number | undefined) {
    this.#bio = bio;
    this.#offset = offset;
    this.#value = offset === undefined ? 0 : (bootSector[offset] ?? 0);
  }

  get dirty(): boolean {
    return (this.#value & DIRTY_BIT) !== 0;
  }

  async set(dirty: boolean): Promise<void> {
    if (this.#offset === undefined) return;
    const value = dirty ? this.#value | DIRTY_BIT : this.#value & ~DIRTY_BIT;
    await writeReserved(this.#bio, this.#offset, new Uint8Array([value]));
    this.#value = value;
  }
}
