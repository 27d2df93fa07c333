import { writeReserved } from '../fat/raw-sector.ts';
import type { BlockIo } from '../hypercall/hypercalls.ts';
import { FLAGS_OFFSET, PERCENT_OFFSET } from './boot-region.ts';

const SECOND_FAT_ACTIVE = 0x01;
const DIRTY = 0x02;
const MEDIA_FAILED = 0x04;
/** Means nothing, but is to be cleared before anything is changed. */
const CLEAR_TO_ZERO = 0x08;

/** The flags of the boot sector, which are written past the buffer cache. */
export class VolumeFlags {
  readonly #bio: BlockIo;
  #value: number;

  constructor(bio: BlockIo, value: number) {
    this.#bio = bio;
    this.#value = value;
  }

  /** Whether the second FAT and allocation bitmap are those that count. */
  get secondActive(): boolean {
    return (this.#value & SECOND_FAT_ACTIVE) !== 0;
  }

  get dirty(): boolean {
    return (this.#value & DIRTY) !== 0;
  }

  get mediaFailed(): boolean {
    return (this.#value & MEDIA_FAILED) !== 0;
  }

  async setDirty(dirty: boolean): Promise<void> {
    const value = (dirty ? this.#value | DIRTY : this.#value & ~DIRTY) & ~CLEAR_TO_ZERO;
    const bytes = new Uint8Array(2);
    new DataView(bytes.buffer).setUint16(0, value, true);
    await writeReserved(this.#bio, FLAGS_OFFSET, bytes);
    this.#value = value;
  }

  async setPercentInUse(percent: number): Promise<void> {
    await writeReserved(this.#bio, PERCENT_OFFSET, new Uint8Array([percent]));
  }
}
