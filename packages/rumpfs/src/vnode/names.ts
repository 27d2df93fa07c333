import { FsError } from '../errors.ts';

/**
 * Names on a Unix file system are bytes; ours are strings. Bytes that are valid UTF-8 become their
 * characters; every other byte becomes a lone surrogate from U+DC80 to U+DCFF, which no valid UTF-8 yields,
 * so that each name on a device has a string of its own and can be reached by it. (Python's "surrogateescape"
 * does the same.)
 */

/** A checked name of one directory entry, in both forms. */
export interface EntryName {
  readonly text: string;
  readonly bytes: Uint8Array;
}

export const PATH_BYTES_MAX = 4096;

/** Checks the name of an entry. Throws `InvalidName` or `NameTooLong`. */
export function entryName(text: string, bytesMax: number): EntryName {
  if (text === '' || text === '.' || text === '..') throw new FsError('InvalidName', `"${text}" is no name`);
  // A UTF-16 unit makes at least one byte: refuse the hopeless before working through them.
  if (text.length > bytesMax) throw tooLong(bytesMax);
  const bytes = encodeText(text);
  if (bytes.length > bytesMax) throw tooLong(bytesMax);
  if (bytes.includes(0x2f) || bytes.includes(0)) {
    throw new FsError('InvalidName', 'a name holds no slash and no zero byte');
  }
  return { text, bytes };
}

function tooLong(bytesMax: number): FsError {
  return new FsError('NameTooLong', `a name has at most ${bytesMax} bytes`);
}

/**
 * The bytes of a name or a symbolic link's target. Throws `InvalidName` at a surrogate that stands for no
 * byte.
 */
export function encodeText(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 3);
  let length = 0;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.codePointAt(index) ?? 0;
    if (code < 0x80) {
      bytes[length++] = code;
    } else if (code < 0x800) {
      bytes[length++] = 0xc0 | (code >> 6);
      bytes[length++] = 0x80 | (code & 0x3f);
    } else if (code >= 0x10000) {
      bytes[length++] = 0xf0 | (code >> 18);
      bytes[length++] = 0x80 | ((code >> 12) & 0x3f);
      bytes[length++] = 0x80 | ((code >> 6) & 0x3f);
      bytes[length++] = 0x80 | (code & 0x3f);
      index += 1;
    } else if (code >= 0xdc80 && code <= 0xdcff) {
      bytes[length++] = code & 0xff;
    } else if (code >= 0xd800 && code <= 0xdfff) {
      throw new FsError('InvalidName', 'a name holds half a surrogate pair');
    } else {
      bytes[length++] = 0xe0 | (code >> 12);
      bytes[length++] = 0x80 | ((code >> 6) & 0x3f);
      bytes[length++] = 0x80 | (code & 0x3f);
    }
  }
  return bytes.subarray(0, length);
}

/** The string of a name or target on the device. */
export function decodeText(bytes: Uint8Array): string {
  if (bytes.every((byte) => byte < 0x80)) return String.fromCharCode(...bytes);
  let text = '';
  for (let index = 0; index < bytes.length; ) {
    const length = sequenceLength(bytes, index);
    if (length === 0) {
      text += String.fromCharCode(0xdc00 | (bytes[index] ?? 0));
      index += 1;
    } else {
      text += String.fromCodePoint(codePointAt(bytes, index, length));
      index += length;
    }
  }
  return text;
}

/** The length of the valid UTF-8 sequence at `index`; 0 where there is none. */
function sequenceLength(bytes: Uint8Array, index: number): number {
  const first = bytes[index] ?? 0;
  if (first < 0x80) return 1;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || index + length > bytes.length) return 0;
  for (let next = index + 1; next < index + length; next += 1) {
    if (((bytes[next] ?? 0) & 0xc0) !== 0x80) return 0;
  }
  const code = codePointAt(bytes, index, length);
  const overlong = (length === 3 && code < 0x800) || (length === 4 && code < 0x10000);
  const surrogate = code >= 0xd800 && code <= 0xdfff;
  return overlong || surrogate || code > 0x10ffff ? 0 : length;
}

function codePointAt(bytes: Uint8Array, index: number, length: number): number {
  const first = bytes[index] ?? 0;
  if (length === 1) return first;
  let code = first & (0x7f >> length);
  for (let next = index + 1; next < index + length; next += 1)
    code = (code << 6) | ((bytes[next] ?? 0) & 0x3f);
  return code;
}
