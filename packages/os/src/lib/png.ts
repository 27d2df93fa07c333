/**
 * Pictures as PNG (Portable Network Graphics, W3C recommendation, third edition): 8 bits for each
 * of red, green and blue, no filters.
 */
import { crc32, deflateSync } from 'node:zlib';

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const CHUNK_FRAME_BYTES = 12;
const HEADER_BYTES = 13;
const BITS = 8;
const TRUE_COLOUR = 2;
const NO_FILTER = 0;
/** The pixels of a Framebuffer session: blue, green, red, and one byte that counts for nothing. */
const FROM_BYTES = 4;
const TO_BYTES = 3;

/** A picture in the form of a Framebuffer session. */
export interface PlainPicture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

/** The PNG file of a picture. */
export function encodePng({ width, height, pixels }: PlainPicture): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([BITS, TRUE_COLOUR], 8);
  const lines = new Uint8Array(height * (1 + width * TO_BYTES));
  let [from, to] = [0, 0];
  for (let y = 0; y < height; y++) {
    lines[to++] = NO_FILTER;
    for (let x = 0; x < width; x++, from += FROM_BYTES) {
      lines[to++] = pixels[from + 2] ?? 0;
      lines[to++] = pixels[from + 1] ?? 0;
      lines[to++] = pixels[from] ?? 0;
    }
  }
  return Buffer.concat([
    Uint8Array.from(SIGNATURE),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(lines)),
    chunk('IEND', new Uint8Array(0)),
  ]);
}

/** A chunk: its length, its name, its content, and a checksum of the last two. */
function chunk(name: string, content: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(content.byteLength + CHUNK_FRAME_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, content.byteLength);
  new TextEncoder().encodeInto(name, bytes.subarray(4, 8));
  bytes.set(content, 8);
  view.setUint32(content.byteLength + 8, crc32(bytes.subarray(4, content.byteLength + 8)));
  return bytes;
}
