/** Sectors that say which they are, and in which version. */

export const SECTOR_BYTES = 512;
/** The version of a sector of which nothing is known, and that of one full of zeros. */
export const UNKNOWN = 0xffffffff;
export const ZEROS = 0;

const wordsOf = (bytes) => new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);

/** Fills sectors from `sector` on with their numbers and a version. */
export function fill(bytes, sector, version) {
  const words = wordsOf(bytes);
  for (let at = 0; at < words.length; at += 2) {
    words[at] = sector + Math.floor((at * 4) / SECTOR_BYTES);
    words[at + 1] = version;
  }
}

/**
 * Compares sectors from `sector` on with their versions. The result is the number of sectors that
 * were compared, and a text for each that is wrong.
 */
export function compare(bytes, sector, versions) {
  const words = wordsOf(bytes);
  const wordsPerSector = SECTOR_BYTES / 4;
  const wrong = [];
  let compared = 0;
  for (let one = 0; one < bytes.byteLength / SECTOR_BYTES; one++) {
    const version = versions[sector + one];
    if (version === UNKNOWN) continue;
    compared++;
    const number = version === ZEROS ? 0 : sector + one;
    for (let at = one * wordsPerSector; at < (one + 1) * wordsPerSector; at += 2) {
      if (words[at] === number && words[at + 1] === version) continue;
      wrong.push(`sector ${sector + one} holds ${words[at]}/${words[at + 1]}, not ${number}/${version}`);
      break;
    }
  }
  return { compared, wrong };
}
