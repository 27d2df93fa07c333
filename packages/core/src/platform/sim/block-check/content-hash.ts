/** Contents of blocks, told apart by a number each: nobody keeps the bytes. */

/** Nothing is known of a content but that it is one and stays the same. */
export const UNKNOWN = -1;
/** Anything may be read, each time something else. */
export const ANYTHING = -2;

/**
 * A number of 53 bits: two lanes of multiplications by odd numbers, which lose nothing, each turned after it so that all
 * bits come to matter. It is no protection against anybody.
 */
export function contentHash(bytes: Uint8Array): number {
  let first = 0x2545f491 ^ bytes.length;
  let second = 0x6a09e667;
  const whole = bytes.byteOffset % 4 === 0 ? bytes.length >>> 2 : 0;
  const words = whole > 0 ? new Int32Array(bytes.buffer, bytes.byteOffset, whole) : undefined;
  for (let index = 0; index < whole; index++) {
    const word = words?.[index] ?? 0;
    first = turned(Math.imul(first ^ word, 0x01000193 | 0));
    second = turned(Math.imul((second + word) | 0, 0x2c1b3c6d));
  }
  for (let at = whole * 4; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    first = turned(Math.imul(first ^ byte, 0x01000193));
    second = turned(Math.imul((second + byte) | 0, 0x2c1b3c6d));
  }
  return (finished(first) & 0x1f_ffff) * 2 ** 32 + finished(second ^ first);
}

function turned(word: number): number {
  return (word << 13) | (word >>> 19);
}

function finished(state: number): number {
  let word = state ^ (state >>> 16);
  word = Math.imul(word, 0x85ebca6b);
  word ^= word >>> 13;
  word = Math.imul(word, 0xc2b2ae35);
  return (word ^ (word >>> 16)) >>> 0;
}
