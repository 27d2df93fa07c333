/** How much memory a guest gets. */
import { expect, test } from 'vitest';
import { guestMemoryBytes, MEMORY_BOUNDS, TooLittleMemory } from '../src/machine/memory.ts';

const MEBIBYTE = 2 ** 20;

test('a guest gets what is left of the quota, in steps', () => {
  expect(guestMemoryBytes(100 * MEBIBYTE, MEMORY_BOUNDS.v86)).toBe(100 * MEBIBYTE);
  expect(guestMemoryBytes(100 * MEBIBYTE + 5000, MEMORY_BOUNDS.v86)).toBe(100 * MEBIBYTE);
  expect(guestMemoryBytes(4096 * MEBIBYTE, MEMORY_BOUNDS.v86)).toBe(2047 * MEBIBYTE);
});

test('too little quota is refused, with what is missing', () => {
  expect(() => guestMemoryBytes(8 * MEBIBYTE, MEMORY_BOUNDS.v86)).toThrow(TooLittleMemory);
  expect(() => guestMemoryBytes(8 * MEBIBYTE, MEMORY_BOUNDS.v86)).toThrow(
    /leaves 8 MiB .* needs 16 at least.* 8 MiB more/,
  );
  expect(() => guestMemoryBytes(-2 * MEBIBYTE, MEMORY_BOUNDS.v86)).toThrow(/leaves 0 MiB .* 18 MiB more/);
});
