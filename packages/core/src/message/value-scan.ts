/**
 * A look at a plain value in msgpack before it is decoded
 * (https://github.com/msgpack/msgpack/blob/master/spec.md): one whole value, no deeper than the
 * limit, no count that the bytes do not cover, and none of the decoder's own extensions (records,
 * references, errors, regular expressions). A value that passes can be decoded without a surprise:
 * the decoder recurses, allocates by the counts it reads, and would compile functions for records.
 */
import { LIMITS } from '../limits.ts';

const UNDEFINED_TYPE = 0;
const TIMESTAMP_TYPE = 0xff;

/** How many values are still missing at each depth. Scans do not nest, so one stack is enough. */
const missing = new Uint32Array(LIMITS.messageDepth + 1);

/**
 * Extra bytes behind the first one for 0xc0 to 0xd3: fixed, or the width of a length (negative).
 */
const FIXED = Int8Array.from([0, -9, 0, 0, -1, -2, -4, -9, -9, -9, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8]);
const IMPOSSIBLE = -9;

/** Whether `bytes` are one value that the decoder may see. */
export function isPlainValue(bytes: Uint8Array): boolean {
  const end = bytes.byteLength;
  let depth = 0;
  let at = 0;
  missing[0] = 1;
  for (;;) {
    while (missing[depth] === 0) {
      if (depth === 0) return at === end;
      depth--;
    }
    if (at >= end) return false;
    missing[depth] = (missing[depth] ?? 0) - 1;
    const token = bytes[at++] ?? 0;
    if (token < 0x80 || token >= 0xe0) continue;
    let values = 0;
    if (token < 0xa0) values = token < 0x90 ? (token & 15) * 2 : token & 15;
    else if (token < 0xc0) at += token & 31;
    else if (token >= 0xdc) {
      const width = token & 1 ? 4 : 2;
      if (at + width > end) return false;
      values = unsigned(bytes, at, width) * (token >= 0xde ? 2 : 1);
      at += width;
    } else {
      const next = token < 0xd4 ? afterScalar(bytes, token, at) : afterTyped(bytes, token, at);
      if (next < 0) return false;
      at = next;
    }
    if (at > end || values > end - at) return false;
    if (values === 0) continue;
    if (depth === LIMITS.messageDepth) return false;
    missing[++depth] = values;
  }
}

/** Where a value of 0xc0 to 0xd3 ends, or -1. */
function afterScalar(bytes: Uint8Array, token: number, at: number): number {
  const size = FIXED[token - 0xc0] ?? IMPOSSIBLE;
  if (size >= 0) return at + size;
  // Extensions with a length: of those, only a timestamp with nanoseconds (12 bytes) is ever
  // written.
  if (token === 0xc7) return bytes[at] === 12 && bytes[at + 1] === TIMESTAMP_TYPE ? at + 14 : -1;
  if (size === IMPOSSIBLE || at - size > bytes.byteLength) return -1;
  return at - size + unsigned(bytes, at, -size);
}

/**
 * Where an extension of fixed length (0xd4 to 0xd8) or a string with a length (0xd9 to 0xdb) ends,
 * or -1.
 */
function afterTyped(bytes: Uint8Array, token: number, at: number): number {
  if (token >= 0xd9) {
    const width = 1 << (token - 0xd9);
    return at + width > bytes.byteLength ? -1 : at + width + unsigned(bytes, at, width);
  }
  const type = bytes[at] ?? -1;
  if (token === 0xd4) return type === UNDEFINED_TYPE ? at + 2 : -1;
  const timestamp = type === TIMESTAMP_TYPE && (token === 0xd6 || token === 0xd7);
  return timestamp ? at + 1 + (token === 0xd6 ? 4 : 8) : -1;
}

function unsigned(bytes: Uint8Array, at: number, width: number): number {
  let value = 0;
  for (let index = at; index < at + width; index++) value = value * 256 + (bytes[index] ?? 0);
  return value;
}
