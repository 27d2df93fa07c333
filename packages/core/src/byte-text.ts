/**
 * Names in file systems are bytes; ours are strings. Bytes that are valid UTF-8 become their
 * characters. Every other byte becomes a lone surrogate from U+DC80 to U+DCFF, which no valid UTF-8
 * yields. So each sequence of bytes has a string of its own, and can be reached by it (PEP 383,
 * "surrogateescape").
 */
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** With the flag `u` the halves of a surrogate pair do not match. */
const LONE_SURROGATE = /[\ud800-\udfff]/u;

/**
 * Whether a text holds a lone surrogate: one that stands for a byte, or one that stands for
 * nothing.
 */
export function hasLoneSurrogate(text: string): boolean {
  return LONE_SURROGATE.test(text);
}

/** The bytes of a text, or `undefined` if it holds a surrogate that stands for no byte. */
export function bytesOfText(text: string): Uint8Array | undefined {
  if (!LONE_SURROGATE.test(text)) return encoder.encode(text);
  const bytes = new Uint8Array(text.length * 3);
  let length = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (code >= 0xdc80 && code <= 0xdcff) bytes[length++] = code & 0xff;
    else if (code >= 0xd800 && code <= 0xdfff) return undefined;
    else length += encoder.encodeInto(character, bytes.subarray(length)).written;
  }
  return bytes.slice(0, length);
}

/** The text of bytes. They must not change during the call, so copy bytes that a peer shares. */
export function textOfBytes(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    return escaped(bytes);
  }
}

function escaped(bytes: Uint8Array): string {
  let text = '';
  let start = 0;
  for (let index = 0; index < bytes.length; ) {
    const length = sequenceLength(bytes, index);
    if (length > 0) {
      index += length;
      continue;
    }
    text += decoder.decode(bytes.subarray(start, index)) + String.fromCharCode(0xdc00 | (bytes[index] ?? 0));
    index += 1;
    start = index;
  }
  return text + decoder.decode(bytes.subarray(start));
}

/** Length of the valid UTF-8 sequence at `index` (Unicode 15, table 3-7); 0 if there is none. */
function sequenceLength(bytes: Uint8Array, index: number): number {
  const first = bytes[index] ?? 0;
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  const second = bytes[index + 1] ?? 0;
  const lowest = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const highest = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < lowest || second > highest) return 0;
  for (let next = index + 2; next < index + length; next++) {
    if (((bytes[next] ?? 0) & 0xc0) !== 0x80) return 0;
  }
  return length;
}
