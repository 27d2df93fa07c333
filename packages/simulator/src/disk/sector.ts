/** Bytes of a sector: the least that a disk writes as a whole, or tears in a power cut. */
export const SECTOR_BYTES = 512;
