/**
 * What a disk may hold: a model of sectors of one repeated byte each. After a crash a sector holds
 * what it had at the last sync, or what any later write gave it.
 */
import type { DiskImage } from '../../src/image/disk-image.ts';

/** The size of the model's sectors. */
export const MODEL_SECTOR_BYTES = 512;

/** An operation on a disk, in sectors. */
export type DiskOperation =
  | { readonly kind: 'write'; readonly sector: number; readonly count: number; readonly value: number }
  | { readonly kind: 'zero' | 'discard' | 'read'; readonly sector: number; readonly count: number }
  | { readonly kind: 'sync' };

/** The contents that each sector may have. */
export class DiskModel {
  /** What a reader sees; -1 if a discard has left it undefined. */
  readonly now: Int16Array;
  /** What the last sync has made lasting, and everything that came later. */
  readonly #possible: Set<number>[];

  constructor(sectors: number) {
    this.now = new Int16Array(sectors);
    this.#possible = Array.from({ length: sectors }, () => new Set([0]));
  }

  /** Carries out an operation on the disk and on the model, and checks what is read. */
  async perform(image: DiskImage, operation: DiskOperation): Promise<void> {
    if (operation.kind === 'sync') {
      await image.sync();
      this.#sync();
      return;
    }
    const { sector, count } = operation;
    const [at, length] = [sector * MODEL_SECTOR_BYTES, count * MODEL_SECTOR_BYTES];
    switch (operation.kind) {
      case 'read': {
        const bytes = new Uint8Array(length);
        await image.read(bytes, at);
        this.check(bytes, sector);
        return;
      }
      case 'write':
        this.#set(sector, count, operation.value);
        return image.write(new Uint8Array(length).fill(operation.value), at);
      case 'zero':
        this.#set(sector, count, 0);
        return image.writeZeroes(at, length);
      case 'discard':
        this.#discard(sector, count);
        return image.discard(at, length);
    }
  }

  /** Throws if bytes from a sector on are not what the disk should read as. */
  check(bytes: Uint8Array, first: number): void {
    for (let at = 0; at < bytes.byteLength; at += MODEL_SECTOR_BYTES) {
      const sector = first + at / MODEL_SECTOR_BYTES;
      const expected = this.now[sector] ?? 0;
      const found = uniform(bytes.subarray(at, at + MODEL_SECTOR_BYTES));
      const sound = expected === -1 ? this.#possible[sector]?.has(found) : found === expected;
      if (!sound) throw new Error(`sector ${sector} reads as ${found}, not as ${expected}`);
    }
  }

  /** Throws if the bytes of a whole disk are not what a crash may have left. */
  checkAfterCrash(disk: Uint8Array): void {
    for (const [sector, possible] of this.#possible.entries()) {
      const at = sector * MODEL_SECTOR_BYTES;
      const found = uniform(disk.subarray(at, at + MODEL_SECTOR_BYTES));
      if (!possible.has(found)) {
        throw new Error(
          `sector ${sector} reads as ${found} after a crash, not as one of ${[...possible].join(' ')}`,
        );
      }
    }
  }

  /** A copy of what may be there now, for a crash at this moment. */
  snapshot(): DiskModel {
    const copy = new DiskModel(this.now.length);
    copy.now.set(this.now);
    for (const [sector, possible] of this.#possible.entries()) copy.#possible[sector] = new Set(possible);
    return copy;
  }

  #set(sector: number, count: number, value: number): void {
    for (let at = sector; at < sector + count; at++) {
      this.now[at] = value;
      this.#possible[at]?.add(value);
    }
  }

  #discard(sector: number, count: number): void {
    for (let at = sector; at < sector + count; at++) {
      this.now[at] = -1;
      this.#possible[at]?.add(0);
    }
  }

  #sync(): void {
    for (const [sector, value] of this.now.entries()) {
      if (value !== -1) this.#possible[sector] = new Set([value]);
    }
  }
}

/** The byte that fills a sector; -2 if there are several. */
function uniform(sector: Uint8Array): number {
  const first = sector[0] ?? 0;
  return sector.every((byte) => byte === first) ? first : -2;
}
