/**
 * The hashes of names in hash trees: "legacy", half of MD4, and TEA, each with the bytes of names
 * taken as signed or as unsigned. Written from the kernel's description of ext4's directories.
 */
import { viewOf } from './disk.ts';

const DELTA = 0x9e37_79b9;
const START = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
const VERSIONS = 6;
/** The highest hash is kept for the end of a directory. */
const END = 0xffff_fffe;

/** The hash of a name, with its lowest bit clear; undefined for versions without one. */
export function hashOf(version: number, seed: Uint8Array, name: Uint8Array): number | undefined {
  if (version >= VERSIONS) return undefined;
  const characters = version >= 3 ? [...name] : [...Int8Array.from(name)];
  const view = viewOf(seed);
  const given = [0, 4, 8, 12].map((offset) => view.getUint32(offset, true));
  const start = given.some((word) => word !== 0) ? given : START;
  const hash =
    (version % 3 === 0
      ? legacy(characters)
      : version % 3 === 1
        ? halfMd4(characters, start)
        : tea(characters, start)) & ~1;
  return hash >>> 0 === END ? END - 2 : hash >>> 0;
}

function legacy(characters: readonly number[]): number {
  let [one, other] = [0x12a3_fe2d, 0x37ab_e8f9];
  for (const character of characters) {
    let next = (other + (one ^ Math.imul(character, 7_152_373))) >>> 0;
    if (next >= 0x8000_0000) next -= 0x7fff_ffff;
    [other, one] = [one, next >>> 0];
  }
  return one << 1;
}

/** So many words of the name from `from` on, filled up with its length. */
function wordsOf(characters: readonly number[], from: number, count: number): number[] {
  const length = characters.length - from;
  const pair = (length | (length << 8)) >>> 0;
  const padding = (pair | (pair << 16)) >>> 0;
  const words: number[] = [];
  let word = padding;
  const used = Math.min(length, count * 4);
  for (let index = 0; index < used; index += 1) {
    word = ((characters[from + index] ?? 0) + (word << 8)) >>> 0;
    if (index % 4 !== 3) continue;
    words.push(word);
    word = padding;
  }
  if (words.length < count) words.push(word);
  while (words.length < count) words.push(padding);
  return words;
}

function tea(characters: readonly number[], start: readonly number[]): number {
  let [one = 0, other = 0] = start;
  for (let from = 0; from < characters.length; from += 16) {
    const [a = 0, b = 0, c = 0, d = 0] = wordsOf(characters, from, 4);
    let [left, right, sum] = [one, other, 0];
    for (let round = 0; round < 16; round += 1) {
      sum = (sum + DELTA) | 0;
      left = (left + (((right << 4) + a) ^ (right + sum) ^ ((right >>> 5) + b))) | 0;
      right = (right + (((left << 4) + c) ^ (left + sum) ^ ((left >>> 5) + d))) | 0;
    }
    one = (one + left) | 0;
    other = (other + right) | 0;
  }
  return one;
}

type Mix = (x: number, y: number, z: number) => number;

const ROUNDS: readonly {
  readonly mix: Mix;
  readonly add: number;
  readonly order: readonly number[];
  readonly turns: readonly number[];
}[] = [
  { mix: (x, y, z) => z ^ (x & (y ^ z)), add: 0, order: [0, 1, 2, 3, 4, 5, 6, 7], turns: [3, 7, 11, 19] },
  {
    mix: (x, y, z) => (x & y) + ((x ^ y) & z),
    add: 0x5a82_7999,
    order: [1, 3, 5, 7, 0, 2, 4, 6],
    turns: [3, 5, 9, 13],
  },
  { mix: (x, y, z) => x ^ y ^ z, add: 0x6ed9_eba1, order: [3, 7, 2, 6, 1, 5, 0, 4], turns: [3, 9, 11, 15] },
];

function halfMd4(characters: readonly number[], start: readonly number[]): number {
  let state = [...start];
  for (let from = 0; from < characters.length; from += 32) {
    const words = wordsOf(characters, from, 8);
    let [a = 0, b = 0, c = 0, d = 0] = state;
    for (const { mix, add, order, turns } of ROUNDS) {
      for (const [step, index] of order.entries()) {
        const sum = (a + mix(b, c, d) + (words[index] ?? 0) + add) | 0;
        const turn = turns[step % 4] ?? 0;
        [a, b, c, d] = [d, (sum << turn) | (sum >>> (32 - turn)), b, c];
      }
    }
    state = state.map((word, index) => (word + ([a, b, c, d][index] ?? 0)) | 0);
  }
  return state[1] ?? 0;
}
