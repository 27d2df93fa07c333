import type { BlockIo } from '../hypercall/hypercalls.ts';
import { FIRST_CLUSTER } from '../fat/layout.ts';
import { readReserved, writeReserved } from '../fat/raw-sector.ts';

const SIGNATURE_AT_0 = 0x4161_5252;
const SIGNATURE_AT_484 = 0x6141_7272;
const COUNTS_AT = 488;

/**
 * FAT32's sector "FSInfo": 488 the number of free clusters (4) and 492 where to look for one (4).
 */
export class FreeClusterSector {
  readonly #bio: BlockIo;
  readonly #offset: number;
  readonly #view: DataView;

  private constructor(bio: BlockIo, offset: number, bytes: Uint8Array) {
    this.#bio = bio;
    this.#offset = offset;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset);
  }

  /** The sector at `offset`; undefined where there is something else. */
  static async load(bio: BlockIo, offset: number | undefined): Promise<FreeClusterSector | undefined> {
    if (offset === undefined) return undefined;
    const sector = new FreeClusterSector(bio, offset, await readReserved(bio, offset));
    const right =
      sector.#view.getUint32(0, true) === SIGNATURE_AT_0 &&
      sector.#view.getUint32(484, true) === SIGNATURE_AT_484;
    return right ? sector : undefined;
  }

  /** Both numbers, as far as they can be right. */
  read(clusterCount: number): { readonly free: number | undefined; readonly next: number } {
    const free = this.#view.getUint32(COUNTS_AT, true);
    const next = this.#view.getUint32(COUNTS_AT + 4, true);
    return {
      free: free <= clusterCount ? free : undefined,
      next: next >= FIRST_CLUSTER && next < clusterCount + FIRST_CLUSTER ? next : FIRST_CLUSTER,
    };
  }

  /** Writes both, unless they are there already. */
  async write(free: number, next: number): Promise<void> {
    if (this.#view.getUint32(COUNTS_AT, true) === free && this.#view.getUint32(COUNTS_AT + 4, true) === next)
      return;
    const bytes = new Uint8Array(8);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, free, true);
    view.setUint32(4, next, true);
    await writeReserved(this.#bio, this.#offset + COUNTS_AT, bytes);
    this.#view.setUint32(COUNTS_AT, free, true);
    this.#view.setUint32(COUNTS_AT + 4, next, true);
  }
}
