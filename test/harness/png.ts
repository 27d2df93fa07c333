/** Reads PNG files of the one form that ours have, strictly: what is not as it must be throws. */
import { crc32, inflateSync } from 'node:zlib';

/** A picture; its pixels are words, as 0xRRGGBB. */
export interface ReadPicture {
  readonly width: number;
  readonly height: number;
  /** The pixel at a place. */
  at(x: number, y: number): number;
}

/** The picture in a PNG file. */
export function readPng(file: Uint8Array): ReadPicture {
  const bytes = Buffer.from(file);
  check(bytes.subarray(0, 8).toString('latin1') === '\u0089PNG\r\n\u001a\n', 'its signature');
  const chunks = new Map<string, Buffer>();
  for (let at = 8; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    const name = bytes.subarray(at + 4, at + 8).toString('latin1');
    check(bytes.readUInt32BE(at + 8 + length) === crc32(bytes.subarray(at + 4, at + 8 + length)), name);
    chunks.set(name, bytes.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  const header = chunks.get('IHDR') ?? Buffer.alloc(0);
  check([...chunks.keys()].join() === 'IHDR,IDAT,IEND', 'its chunks');
  check(header.subarray(8).equals(Buffer.from([8, 2, 0, 0, 0])), 'its form');
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  const lines = inflateSync(chunks.get('IDAT') ?? Buffer.alloc(0));
  const stride = 1 + 3 * width;
  check(lines.length === stride * height, 'its length');
  for (let y = 0; y < height; y++) check(lines[y * stride] === 0, 'its filters');
  return { width, height, at: (x, y) => lines.readUIntBE(y * stride + 1 + 3 * x, 3) };
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(`a PNG file with something wrong in ${what}`);
}
