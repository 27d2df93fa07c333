/**
 * The CRC-32 of IEEE 802.3, as GPT and many other formats use it: reflected, polynomial 0xEDB88320,
 * begun with all ones and inverted at the end. Node has it in `node:zlib`, which a component that
 * needs only this does not load.
 */

const POLYNOMIAL = 0xed_b8_83_20;

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
  return value;
});

/** The checksum of `bytes`. To continue one over more bytes, pass it as `before`. */
export function crc32(bytes: Uint8Array, before = 0): number {
  let value = ~before;
  for (const byte of bytes) value = (value >>> 8) ^ (table[(value ^ byte) & 0xff] ?? 0);
  return ~value >>> 0;
}
