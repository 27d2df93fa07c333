/**
 * What a disk may hold: a model of sectors of one repeated byte each. After a crash a sector holds
 * what it had at the last sync, or what any later write gave it. A sync covers what had ended when
 * it began, so what is under way meanwhile may be there or not.
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
  /**
   * What the last sync has made lasting, and everything that came later, each with the number of
   * the last operation that gave it.
   */
  readonly #possible: Map<number, number>[];
  /** The last operation that has changed each sector. */
  readonly #last: Int32Array;
  /** The sectors of changes that are under way. */
  readonly #changing: Uint8Array;
  #operations = 0;

  constructor(sectors: number) {
    this.now = new Int16Array(sectors);
    this.#possible = Array.from({ length: sectors }, () => new Map([[0, 0]]));
    this.#last = new Int32Array(sectors);
    this.#changing = new Uint8Array(sectors);
  }

  /** Carries out an operation on the disk and on the model, and checks what is read. */
  async perform(image: DiskImage, operation: DiskOperation): Promise<void> {
    if (operation.kind === 'sync') {
      const covered = this.#covered();
      await image.sync();
      this.#synced(covered);
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
      case 'write': {
        const bytes = new Uint8Array(length).fill(operation.value);
        return this.#change(sector, count, operation.value, () => image.write(bytes, at));
      }
      case 'zero':
        return this.#change(sector, count, 0, () => image.writeZeroes(at, length));
      case 'discard':
        return this.#change(sector, count, undefined, () => image.discard(at, length));
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
          `sector ${sector} reads as ${found} after a crash, not as one of ${[...possible.keys()].join(' ')}`,
        );
      }
    }
  }

  /** A copy of what may be there now, for a crash at this moment. */
  snapshot(): DiskModel {
    const copy = new DiskModel(this.now.length);
    copy.now.set(this.now);
    for (const [sector, possible] of this.#possible.entries()) copy.#possible[sector] = new Map(possible);
    return copy;
  }

  /** Gives sectors a value; without one, they are undefined from now on. */
  async #change(
    sector: number,
    count: number,
    value: number | undefined,
    work: () => Promise<void>,
  ): Promise<void> {
    const operation = ++this.#operations;
    for (let at = sector; at < sector + count; at++) {
      this.now[at] = value ?? -1;
      this.#possible[at]?.set(value ?? 0, operation);
      this.#last[at] = operation;
      this.#changing[at] = 1;
    }
    await work();
    this.#changing.fill(0, sector, sector + count);
  }

  /**
   * The last operation for each sector that a sync which begins now covers; -1 if it covers none.
   */
  #covered(): Int32Array {
    return this.#last.map((operation, sector) =>
      this.#changing[sector] === 1 || this.now[sector] === -1 ? -1 : operation,
    );
  }

  #synced(covered: Int32Array): void {
    for (const [sector, last] of covered.entries()) {
      for (const [value, operation] of this.#possible[sector] ?? []) {
        if (operation < last) this.#possible[sector]?.delete(value);
      }
    }
  }
}

/** The byte that fills a sector; -2 if there are several. */
function uniform(sector: Uint8Array): number {
  const first = sector[0] ?? 0;
  return sector.every((byte) => byte === first) ? first : -2;
}
