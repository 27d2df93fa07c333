import { at } from '../errors.ts';

/*
 * The checksums of ext4 and its journal, as the kernel computes them: the state goes in and comes
 * out as it is, without an inversion at the end.
 *
 * CRC-32C (Castagnoli) is computed eight bytes at a time with eight tables (M. Kounavis and F.
 * Berry, "A Systematic Approach to Building High Performance Software-based CRC Generators", 2005).
 */
const POLYNOMIAL_32C = 0x82f6_3b78;
const POLYNOMIAL_16 = 0xa001;
const POLYNOMIAL_32_BIG_ENDIAN = 0x04c1_1db7;
const SLICES = 8;

/** The state with which every checksum over a whole structure begins. */
export const CRC_START = 0xffff_ffff;

const slices = slicesOf(POLYNOMIAL_32C);
const table16 = reflectedTable(POLYNOMIAL_16);
const table32 = bigEndianTable(POLYNOMIAL_32_BIG_ENDIAN);
const scratch = new Uint8Array(8);
const scratchView = new DataView(scratch.buffer);

/** CRC-32C over bytes `from` to `end`. */
export function crc32c(state: number, bytes: Uint8Array, from = 0, end = bytes.length): number {
  let crc = state;
  let index = from;
  for (; index + SLICES <= end; index += SLICES) {
    const low =
      crc ^
      (at(bytes, index) |
        (at(bytes, index + 1) << 8) |
        (at(bytes, index + 2) << 16) |
        (at(bytes, index + 3) << 24));
    crc =
      at(slices, 0x700 | (low & 0xff)) ^
      at(slices, 0x600 | ((low >>> 8) & 0xff)) ^
      at(slices, 0x500 | ((low >>> 16) & 0xff)) ^
      at(slices, 0x400 | (low >>> 24)) ^
      at(slices, 0x300 | at(bytes, index + 4)) ^
      at(slices, 0x200 | at(bytes, index + 5)) ^
      at(slices, 0x100 | at(bytes, index + 6)) ^
      at(slices, at(bytes, index + 7));
  }
  for (; index < end; index += 1) crc = at(slices, (crc ^ at(bytes, index)) & 0xff) ^ (crc >>> 8);
  return crc >>> 0;
}

/** CRC-32C over a number as four bytes, little-endian. */
export function crc32cOfLong(state: number, value: number): number {
  scratchView.setUint32(0, value, true);
  return crc32c(state, scratch, 0, 4);
}

/** CRC-32C over zero bytes. */
export function crc32cOfZeros(state: number, count: number): number {
  let crc = state;
  for (let left = count; left > 0; left -= 1) crc = at(slices, crc & 0xff) ^ (crc >>> 8);
  return crc >>> 0;
}

/** CRC-16 (ANSI), which group descriptors had before CRC-32C. */
export function crc16(state: number, bytes: Uint8Array, from = 0, end = bytes.length): number {
  let crc = state & 0xffff;
  for (let index = from; index < end; index += 1)
    crc = at(table16, (crc ^ at(bytes, index)) & 0xff) ^ (crc >>> 8);
  return crc;
}

/** CRC-16 over a number as four bytes, little-endian. */
export function crc16OfLong(state: number, value: number): number {
  scratchView.setUint32(0, value, true);
  return crc16(state, scratch, 0, 4);
}

/** CRC-32 (IEEE) with the highest bit first, which commit blocks of old journals have. */
export function crc32BigEndian(state: number, bytes: Uint8Array): number {
  let crc = state;
  for (const byte of bytes) crc = at(table32, (crc >>> 24) ^ byte) ^ (crc << 8);
  return crc >>> 0;
}

function reflectedTable(polynomial: number): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_unused, index) => {
    let crc = index;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) !== 0 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    return crc;
  });
}

function bigEndianTable(polynomial: number): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_unused, index) => {
    let crc = index << 24;
    for (let bit = 0; bit < 8; bit += 1) crc = crc < 0 ? (crc << 1) ^ polynomial : crc << 1;
    return crc;
  });
}

function slicesOf(polynomial: number): Uint32Array {
  const tables = new Uint32Array(SLICES * 256);
  tables.set(reflectedTable(polynomial));
  for (let index = 256; index < tables.length; index += 1) {
    const before = at(tables, index - 256);
    tables[index] = at(tables, before & 0xff) ^ (before >>> 8);
  }
  return tables;
}
