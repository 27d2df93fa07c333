/**
 * GUIDs as GPT stores them: 16 bytes, of which the first three fields are little endian and the
 * rest is in the order in which it is written.
 */

/** The number of bytes of a GUID. */
export const GUID_BYTES = 16;

/** The lengths of the fields in bytes, and whether their bytes are written in reverse. */
const FIELDS = [
  { bytes: 4, reversed: true },
  { bytes: 2, reversed: true },
  { bytes: 2, reversed: true },
  { bytes: 2, reversed: false },
  { bytes: 6, reversed: false },
];

/** The GUID in the first 16 bytes, written in small letters. */
export function guidText(bytes: Uint8Array): string {
  let at = 0;
  const fields = FIELDS.map(({ bytes: length, reversed }) => {
    const field = [...bytes.subarray(at, at + length)].map((byte) => byte.toString(16).padStart(2, '0'));
    at += length;
    return (reversed ? field.toReversed() : field).join('');
  });
  return fields.join('-');
}
