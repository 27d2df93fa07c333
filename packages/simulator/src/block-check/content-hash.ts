/** Represents the content of a block by a number, so that the bytes need not be kept. */

/** A content that is not known yet; it is only known to stay the same. */
export const UNKNOWN = -1;
/** A content that may be anything, and may differ at each read. */
export const ANYTHING = -2;

/**
 * A hash of 53 bits. Two lanes multiply each word by odd numbers, which loses no information, and
 * rotate the result so that all bits matter. The lanes rotate by different amounts and take
 * different words, so that no two words can replace each other in both. The hash does not protect
 * against deliberate collisions.
 */
export function contentHash(bytes: Uint8Array): number {
  let first = 0x2545f491 ^ bytes.length;
  let second = 0x6a09e667;
  const whole = bytes.byteOffset % 4 === 0 ? bytes.length >>> 2 : 0;
  const words = whole > 0 ? new Int32Array(bytes.buffer, bytes.byteOffset, whole) : undefined;
  for (let index = 0; index < whole; index++) {
    const word = words?.[index] ?? 0;
    first = mixed(first, word, 13);
    second = mixed(second, Math.imul(word, 0x85ebca77), 19);
  }
  for (let at = whole * 4; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    first = mixed(first, byte, 13);
    second = mixed(second, Math.imul(byte, 0x85ebca77), 19);
  }
  return (finished(first) & 0x1f_ffff) * 2 ** 32 + finished(second ^ first);
}

function mixed(state: number, word: number, bits: number): number {
  const product = Math.imul(state ^ word, 0x9e3779b1);
  return (product << bits) | (product >>> (32 - bits));
}

function finished(state: number): number {
  let word = state ^ (state >>> 16);
  word = Math.imul(word, 0x85ebca6b);
  word ^= word >>> 13;
  word = Math.imul(word, 0xc2b2ae35);
  return (word ^ (word >>> 16)) >>> 0;
}
