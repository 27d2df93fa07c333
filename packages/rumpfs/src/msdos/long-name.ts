/**
 * Long-name slots. They stand in front of the entry that they name, the last part first:
 *
 *     0 number of the part (0x40: the last) · 1 five units · 11 attribute 0x0f · 12 type 0
 *     13 checksum of the short name · 14 six units · 26 cluster 0 · 28 two units
 *
 * A name that does not fill its last slot ends with a zero unit and is padded with 0xffff.
 */
import { ENTRY_BYTES } from './boot-sector.ts';
import { longNameText } from './names.ts';

export const LONG_NAME_ATTRIBUTE = 0x0f;
export const UNITS_PER_SLOT = 13;
/** The most slots that a name has. */
export const LONG_NAME_SLOTS_MAX = 20;
const LAST_FLAG = 0x40;
const NUMBER_MASK = 0x3f;
const UNIT_OFFSETS = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30] as const;

/** The number of slots for a name of so many units. */
export function slotsFor(units: number): number {
  return Math.ceil(units / UNITS_PER_SLOT);
}

/** The slots of a name, in the order in which they stand in a directory. */
export function longNameSlots(text: string, checksum: number): Uint8Array {
  const count = slotsFor(text.length);
  const bytes = new Uint8Array(count * ENTRY_BYTES);
  const view = new DataView(bytes.buffer);
  for (let place = 0; place < count; place += 1) {
    const number = count - place;
    const offset = place * ENTRY_BYTES;
    bytes[offset] = number | (place === 0 ? LAST_FLAG : 0);
    bytes[offset + 11] = LONG_NAME_ATTRIBUTE;
    bytes[offset + 13] = checksum;
    for (const [index, within] of UNIT_OFFSETS.entries()) {
      const position = (number - 1) * UNITS_PER_SLOT + index;
      const unit = position < text.length ? text.charCodeAt(position) : position === text.length ? 0 : 0xffff;
      view.setUint16(offset + within, unit, true);
    }
  }
  return bytes;
}

/** Puts the slots of a name together, slot by slot in the order of a directory. */
export class LongNameReader {
  /** The slot where the present name begins; -1 where there is none. */
  firstSlot = -1;
  readonly #units = new Uint16Array(LONG_NAME_SLOTS_MAX * UNITS_PER_SLOT);
  #expected = 0;
  #parts = 0;
  #checksum = 0;

  /** Forgets the slots so far: what follows them is no entry of theirs. */
  reset(): void {
    this.firstSlot = -1;
    this.#expected = 0;
  }

  /**
   * Takes the slot at `offset`. One that does not continue what came before is left over from older
   * times.
   */
  take(bytes: Uint8Array, view: DataView, offset: number, slot: number): void {
    const first = bytes[offset] ?? 0;
    const number = first & NUMBER_MASK;
    const checksum = bytes[offset + 13] ?? 0;
    if ((first & LAST_FLAG) !== 0) {
      this.firstSlot = slot;
      this.#parts = number;
      this.#checksum = checksum;
    } else if (number !== this.#expected || checksum !== this.#checksum) {
      this.reset();
      return;
    }
    if (number === 0 || number > LONG_NAME_SLOTS_MAX) {
      this.reset();
      return;
    }
    for (const [index, within] of UNIT_OFFSETS.entries()) {
      this.#units[(number - 1) * UNITS_PER_SLOT + index] = view.getUint16(offset + within, true);
    }
    this.#expected = number - 1;
  }

  /** The name, if the slots are complete and belong to an entry with that checksum. */
  nameFor(checksum: number): string | undefined {
    if (this.firstSlot < 0 || this.#expected !== 0 || checksum !== this.#checksum) return undefined;
    const end = this.#units.subarray(0, this.#parts * UNITS_PER_SLOT).indexOf(0);
    return longNameText(this.#units, end < 0 ? this.#parts * UNITS_PER_SLOT : end);
  }
}
