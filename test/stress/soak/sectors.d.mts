export const SECTOR_BYTES: 512;
/** The version of a sector of which nothing is known. */
export const UNKNOWN: number;
/** The version of a sector full of zeros. */
export const ZEROS: number;

/** Fills sectors from `sector` on with their numbers and a version. */
export function fill(bytes: Uint8Array, sector: number, version: number): void;

/** Compares sectors from `sector` on with their versions. */
export function compare(
  bytes: Uint8Array,
  sector: number,
  versions: Uint32Array,
): { readonly compared: number; readonly wrong: readonly string[] };
