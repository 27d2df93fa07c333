/**
 * The up-case table: for each of the 65,536 units of UTF-16 the one that stands for it when names
 * are compared. It is stored as units in their order; 0xffff and a number stand for so many units
 * that are their own capitals. What is behind its end is its own capital, too.
 */
import { FsError } from '../errors.ts';

const UNITS = 0x1_0000;
const UNITS_PER_PAGE = 256;
const IDENTITY_MARK = 0xffff;

/** Longer tables make no sense: each unit, and a mark with a number for each. */
export const UPCASE_BYTES_MAX = 4 * UNITS;

export class UpcaseTable {
  /** Pages without a unit that has another one as its capital are missing. */
  readonly #pages: (Uint16Array | undefined)[] = [];
  #bytes = 0;

  /** The memory that the table takes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Reads a stored table. Throws `Corrupt` for one that goes on behind the last unit. */
  static parse(stored: Uint8Array): UpcaseTable {
    const table = new UpcaseTable();
    const view = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
    let unit = 0;
    for (let offset = 0; offset + 2 <= stored.length && unit < UNITS; offset += 2) {
      const value = view.getUint16(offset, true);
      if (value === IDENTITY_MARK && offset + 4 <= stored.length) {
        offset += 2;
        unit += view.getUint16(offset, true);
        if (unit > UNITS)
          throw new FsError('Corrupt', `exfat: up-case table: it goes on behind unit ${UNITS}`);
      } else {
        table.#set(unit, value);
        unit += 1;
      }
    }
    return table;
  }

  /** A table that knows only the letters A to Z, for volumes whose own one is damaged. */
  static plain(): UpcaseTable {
    const table = new UpcaseTable();
    for (let unit = 0x61; unit <= 0x7a; unit += 1) table.#set(unit, unit - 0x20);
    return table;
  }

  /** The unit that stands for another one. */
  upper(unit: number): number {
    return this.#pages[unit >> 8]?.[unit & 0xff] ?? unit;
  }

  /** The form that all names have in common that are the same but for their case. */
  fold(name: string): string {
    const units = new Uint16Array(name.length);
    for (let index = 0; index < name.length; index += 1) units[index] = this.upper(name.charCodeAt(index));
    return String.fromCharCode(...units);
  }

  /** The hash that the entries of a file have of its name. */
  hashOf(name: string): number {
    let hash = 0;
    for (let index = 0; index < name.length; index += 1) {
      const unit = this.upper(name.charCodeAt(index));
      hash = (((hash << 15) | (hash >>> 1)) + (unit & 0xff)) & 0xffff;
      hash = (((hash << 15) | (hash >>> 1)) + (unit >>> 8)) & 0xffff;
    }
    return hash;
  }

  #set(unit: number, upper: number): void {
    if (unit === upper) return;
    let page = this.#pages[unit >> 8];
    if (page === undefined) {
      const first = unit & ~0xff;
      page = Uint16Array.from({ length: UNITS_PER_PAGE }, (_unused, index) => first + index);
      this.#pages[unit >> 8] = page;
      this.#bytes += page.byteLength;
    }
    page[unit & 0xff] = upper;
  }
}

/** The checksum of a stored table. */
export function upcaseChecksum(stored: Uint8Array): number {
  let sum = 0;
  for (const byte of stored) sum = (((sum << 31) | (sum >>> 1)) + byte) >>> 0;
  return sum;
}
