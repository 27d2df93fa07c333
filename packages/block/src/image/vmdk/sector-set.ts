/** Sectors of one page of a set. */
const PAGE_SECTORS = 32_768;

/** A set of sectors, in bits: there may be more than a `Set` takes, which ends at 2^24. */
export class SectorSet {
  readonly #pages = new Map<number, Uint8Array>();
  size = 0;

  /** Adds a sector. The result is false if it was there already. */
  add(sector: number): boolean {
    const number = Math.floor(sector / PAGE_SECTORS);
    const page = this.#pages.get(number) ?? new Uint8Array(PAGE_SECTORS / 8);
    this.#pages.set(number, page);
    const within = sector % PAGE_SECTORS;
    const byte = page[within >> 3] ?? 0;
    const bit = 1 << (within & 7);
    if (byte & bit) return false;
    page[within >> 3] = byte | bit;
    this.size++;
    return true;
  }
}
