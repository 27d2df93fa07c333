import { assert } from '../errors.ts';

/*
 * Bitmaps of blocks and inodes: bit n is bit n % 8 of byte n / 8, set for "in use". Searches go 32
 * bits at a time.
 */

/** The first clear bit from `from` on; `limit` if there is none below it. */
export function nextClear(view: DataView, from: number, limit: number): number {
  return nextDifferent(view, from, limit, -1);
}

/** The first set bit from `from` on; `limit` if there is none below it. */
export function nextSet(view: DataView, from: number, limit: number): number {
  return nextDifferent(view, from, limit, 0);
}

function nextDifferent(view: DataView, from: number, limit: number, filler: number): number {
  if (from >= limit) return limit;
  let word = from >>> 5;
  let bits = (view.getInt32(word * 4, true) ^ filler) & (-1 << (from & 31));
  while (bits === 0) {
    word += 1;
    if (word * 32 >= limit) return limit;
    bits = view.getInt32(word * 4, true) ^ filler;
  }
  return Math.min(limit, word * 32 + 31 - Math.clz32(bits & -bits));
}

export function allClear(view: DataView, from: number, count: number): boolean {
  return nextSet(view, from, from + count) === from + count;
}

export function allSet(view: DataView, from: number, count: number): boolean {
  return nextClear(view, from, from + count) === from + count;
}

/** Sets bits that are clear. */
export function setBits(bytes: Uint8Array, from: number, count: number): void {
  fillBits(bytes, from, count, true);
}

/** Clears bits that are set. */
export function clearBits(bytes: Uint8Array, from: number, count: number): void {
  fillBits(bytes, from, count, false);
}

function fillBits(bytes: Uint8Array, from: number, count: number, on: boolean): void {
  const end = from + count;
  assert(count > 0 && end <= bytes.length * 8, 'bits inside the bitmap');
  const firstByte = from >>> 3;
  const lastByte = (end - 1) >>> 3;
  const firstMask = (0xff << (from & 7)) & 0xff;
  const lastMask = 0xff >>> (7 - ((end - 1) & 7));
  if (firstByte === lastByte) {
    applyMask(bytes, firstByte, firstMask & lastMask, on);
    return;
  }
  applyMask(bytes, firstByte, firstMask, on);
  bytes.fill(on ? 0xff : 0, firstByte + 1, lastByte);
  applyMask(bytes, lastByte, lastMask, on);
}

function applyMask(bytes: Uint8Array, index: number, mask: number, on: boolean): void {
  const byte = bytes[index] ?? 0;
  bytes[index] = on ? byte | mask : byte & ~mask;
}
