import { at } from '../errors.ts';

/**
 * The hashes of names by which hash-tree directories are ordered: a legacy one, half of MD4, and
 * TEA, each with bytes taken as signed (as the compilers of some machines do) or unsigned. The
 * lowest bit of a hash is always 0.
 *
 * Source: the kernel's documentation of ext4's "Hash Tree Directories", RFC 1320 (MD4), and D.
 * Wheeler and R. Needham, "TEA, a Tiny Encryption Algorithm".
 */
export const HASH_VERSION = { legacy: 0, halfMd4: 1, tea: 2 } as const;
/** The distance from a version to the one that takes bytes as unsigned. */
const UNSIGNED = 3;
export const HASH_VERSIONS = 2 * UNSIGNED;
/** The highest hash means the end of a directory, so no name has it. */
const END_HASH = 0xffff_fffe;

const SEED_DEFAULT = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
const MD4_WORDS = 8;
const TEA_WORDS = 4;
const TEA_DELTA = 0x9e37_79b9;
const TEA_ROUNDS = 16;
const MD4_ROUND_2 = 0x5a82_7999;
const MD4_ROUND_3 = 0x6ed9_eba1;
const LEGACY_FACTOR = 7_152_373;

const state = new Uint32Array(4);
const words = new Uint32Array(MD4_WORDS);

/** The parameters of the hashes of one file system. */
export interface HashParameters {
  /** Four words; all zero for the usual ones. */
  readonly seed: readonly number[];
  /** Whether a version below three takes bytes as unsigned. */
  readonly unsigned: boolean;
}

/** The hash of bytes `from` to `end`; undefined for an unknown version. */
export function hashOfName(
  version: number,
  { seed, unsigned }: HashParameters,
  bytes: Uint8Array,
  from = 0,
  end = bytes.length,
): number | undefined {
  if (version >= HASH_VERSIONS) return undefined;
  const signed = version < UNSIGNED && !unsigned;
  const hash = (version % UNSIGNED === HASH_VERSION.legacy ? legacyHash : mixedHash)(
    version % UNSIGNED,
    seed,
    bytes,
    from,
    end,
    signed,
  );
  const even = (hash & ~1) >>> 0;
  return even === END_HASH ? END_HASH - 2 : even;
}

function mixedHash(
  version: number,
  seed: readonly number[],
  bytes: Uint8Array,
  from: number,
  end: number,
  signed: boolean,
): number {
  state.set(seed.every((word) => word === 0) ? SEED_DEFAULT : seed);
  const tea = version === HASH_VERSION.tea;
  const step = (tea ? TEA_WORDS : MD4_WORDS) * 4;
  for (let position = from; position < end; position += step) {
    fillWords(bytes, position, end, tea ? TEA_WORDS : MD4_WORDS, signed);
    if (tea) mixTea();
    else mixHalfMd4();
  }
  return at(state, tea ? 0 : 1);
}

function legacyHash(
  _version: number,
  _seed: readonly number[],
  bytes: Uint8Array,
  from: number,
  end: number,
  signed: boolean,
): number {
  let newest = 0x12a3_fe2d;
  let before = 0x37ab_e8f9;
  for (let index = from; index < end; index += 1) {
    const byte = byteAt(bytes, index, signed);
    let hash = (before + (newest ^ Math.imul(byte, LEGACY_FACTOR))) >>> 0;
    if (hash >= 0x8000_0000) hash -= 0x7fff_ffff;
    before = newest;
    newest = hash;
  }
  return (newest << 1) >>> 0;
}

/** Fills words with bytes, and what is left with the length of the rest of the name. */
function fillWords(bytes: Uint8Array, from: number, end: number, count: number, signed: boolean): void {
  const length = end - from;
  const pair = length | (length << 8);
  const padding = pair | (pair << 16);
  const used = Math.min(length, count * 4);
  let word = padding;
  let filled = 0;
  for (let index = 0; index < used; index += 1) {
    word = (byteAt(bytes, from + index, signed) + (word << 8)) | 0;
    if (index % 4 !== 3) continue;
    words[filled] = word;
    filled += 1;
    word = padding;
  }
  if (filled < count) {
    words[filled] = word;
    filled += 1;
  }
  words.fill(padding, filled, count);
}

function byteAt(bytes: Uint8Array, index: number, signed: boolean): number {
  const byte = at(bytes, index);
  return signed ? (byte << 24) >> 24 : byte;
}

function mixTea(): void {
  let sum = 0;
  let one = at(state, 0);
  let other = at(state, 1);
  for (let round = 0; round < TEA_ROUNDS; round += 1) {
    sum = (sum + TEA_DELTA) | 0;
    one += ((other << 4) + at(words, 0)) ^ (other + sum) ^ ((other >>> 5) + at(words, 1));
    one >>>= 0;
    other += ((one << 4) + at(words, 2)) ^ (one + sum) ^ ((one >>> 5) + at(words, 3));
    other >>>= 0;
  }
  state[0] = at(state, 0) + one;
  state[1] = at(state, 1) + other;
}

const ORDER_1 = [0, 1, 2, 3, 4, 5, 6, 7];
const ORDER_2 = [1, 3, 5, 7, 0, 2, 4, 6];
const ORDER_3 = [3, 7, 2, 6, 1, 5, 0, 4];
const SHIFTS_1 = [3, 7, 11, 19];
const SHIFTS_2 = [3, 5, 9, 13];
const SHIFTS_3 = [3, 9, 11, 15];

function mixHalfMd4(): void {
  const before = [at(state, 0), at(state, 1), at(state, 2), at(state, 3)];
  const mixed = [...before];
  mixRound(mixed, ORDER_1, SHIFTS_1, 0, (x, y, z) => z ^ (x & (y ^ z)));
  mixRound(mixed, ORDER_2, SHIFTS_2, MD4_ROUND_2, (x, y, z) => (x & y) + ((x ^ y) & z));
  mixRound(mixed, ORDER_3, SHIFTS_3, MD4_ROUND_3, (x, y, z) => x ^ y ^ z);
  for (const [index, word] of mixed.entries()) state[index] = word + (before[index] ?? 0);
}

/** One round: each step changes one of the four words and turns them by one. */
function mixRound(
  mixed: number[],
  order: readonly number[],
  shifts: readonly number[],
  constant: number,
  select: (x: number, y: number, z: number) => number,
): void {
  let [a = 0, b = 0, c = 0, d = 0] = mixed;
  for (const [step, word] of order.entries()) {
    const sum = (a + select(b, c, d) + at(words, word) + constant) | 0;
    const shift = shifts[step % 4] ?? 0;
    const turned = (sum << shift) | (sum >>> (32 - shift));
    [a, b, c, d] = [d, turned, b, c];
  }
  mixed.splice(0, 4, a, b, c, d);
}
