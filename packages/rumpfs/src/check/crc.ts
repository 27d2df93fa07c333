/**
 * The checksums of ext, computed bit by bit into tables of their own: a checker shares nothing with
 * the driver, not even these.
 */

function tableOf(polynomial: number): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_unused, index) => {
    let value = index;
    for (let bit = 0; bit < 8; bit += 1) value = (value & 1) === 0 ? value >>> 1 : (value >>> 1) ^ polynomial;
    return value >>> 0;
  });
}

const CASTAGNOLI = tableOf(0x82f6_3b78);
const CRC16 = tableOf(0xa001);

/** CRC-32C as ext goes on with it: no inversion, neither before nor after. */
export function castagnoli(state: number, bytes: Uint8Array): number {
  let crc = state;
  for (const byte of bytes) crc = (CASTAGNOLI[(crc ^ byte) & 255] ?? 0) ^ (crc >>> 8);
  return crc >>> 0;
}

/** The same over a number of 32 bits, in the order of a little-endian device. */
export function castagnoliOf(state: number, value: number): number {
  return castagnoli(state, Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24));
}

/** CRC-16 of descriptors without metadata_csum. */
export function crcSixteen(state: number, bytes: Uint8Array): number {
  let crc = state;
  for (const byte of bytes) crc = (CRC16[(crc ^ byte) & 255] ?? 0) ^ (crc >>> 8);
  return crc & 0xffff;
}
