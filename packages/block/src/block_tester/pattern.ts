/**
 * What a test that verifies writes: every sector of 512 bytes says where it belongs and which write
 * it comes from, so that a block that is wrong tells what has happened to it. A sector holds four
 * words of 32 bits (a mark with the seed, the number of the sector, low and high, and the number of
 * the write) and then words that follow from these.
 */
import { viewOf } from '../lib/byte-reader.ts';

const SECTOR_BYTES = 512;
const SECTOR_WORDS = SECTOR_BYTES / 4;
const HEAD_WORDS = 4;
const MARK = 0x67_69_6e_74;

/**
 * Fills blocks with the pattern of a write. `first` is the first block, in a device of `blockSize`.
 */
export function fillPattern(
  bytes: Uint8Array,
  first: number,
  blockSize: number,
  seed: number,
  generation: number,
): void {
  const view = viewOf(bytes);
  const start = (first * blockSize) / SECTOR_BYTES;
  for (let at = 0; at < bytes.byteLength / SECTOR_BYTES; at++) {
    eachWord(start + at, seed, generation, (index, word) => {
      view.setUint32(at * SECTOR_BYTES + index * 4, word, true);
    });
  }
}

/** What is wrong with blocks that should hold the pattern of a write; `undefined` if nothing is. */
export function patternProblem(
  bytes: Uint8Array,
  first: number,
  blockSize: number,
  seed: number,
  generation: number,
): string | undefined {
  const view = viewOf(bytes);
  const start = (first * blockSize) / SECTOR_BYTES;
  for (let at = 0; at < bytes.byteLength / SECTOR_BYTES; at++) {
    let wrong = false;
    eachWord(start + at, seed, generation, (index, word) => {
      wrong ||= view.getUint32(at * SECTOR_BYTES + index * 4, true) !== word;
    });
    if (wrong) return describe(view, at, start + at, seed, generation);
  }
  return undefined;
}

function eachWord(
  sector: number,
  seed: number,
  generation: number,
  use: (index: number, word: number) => void,
): void {
  const head = [(MARK ^ seed) >>> 0, sector >>> 0, Math.floor(sector / 2 ** 32), generation >>> 0];
  let word = 0;
  for (const [index, value] of head.entries()) {
    use(index, value);
    word = (Math.imul(word ^ value, 0x9e37_79b1) ^ (word >>> 15)) >>> 0;
  }
  for (let index = HEAD_WORDS; index < SECTOR_WORDS; index++) {
    word = (Math.imul(word ^ index, 0x85eb_ca6b) ^ (word >>> 13)) >>> 0;
    use(index, word);
  }
}

function describe(view: DataView, at: number, sector: number, seed: number, generation: number): string {
  const word = (index: number): number => view.getUint32(at * SECTOR_BYTES + index * 4, true);
  const where = `sector ${sector} should hold write ${generation}`;
  if (word(0) !== (MARK ^ seed) >>> 0) {
    const zero = Array.from({ length: SECTOR_WORDS }, (_, index) => word(index)).every(
      (value) => value === 0,
    );
    return `${where} and holds ${zero ? 'zeros' : 'something foreign'}`;
  }
  const from = word(1) + word(2) * 2 ** 32;
  if (from !== sector) return `${where} and holds write ${word(3)} of sector ${from}`;
  if (word(3) !== generation >>> 0) return `${where} and holds write ${word(3)}`;
  return `${where} and is damaged`;
}
