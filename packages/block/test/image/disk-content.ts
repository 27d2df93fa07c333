/** Contents of disks for tests: zeros, text that compresses, and noise, in pieces. */
import type { DiskImage } from '../../src/image/disk-image.ts';
import { Random } from '../../src/lib/random.ts';

/** Fills bytes with something that does not compress. */
export function noise(bytes: Uint8Array, seed: number): Uint8Array {
  let state = seed >>> 0 || 1;
  for (let at = 0; at < bytes.byteLength; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[at] = state;
  }
  return bytes;
}

/** A disk of pieces that are zero, repeat themselves, or are noise. */
export function patchwork(sizeBytes: number, pieceBytes: number, seed = 1): Uint8Array {
  const disk = new Uint8Array(sizeBytes);
  const random = new Random(seed, 'patchwork');
  for (let at = 0; at < sizeBytes; at += pieceBytes) {
    const piece = disk.subarray(at, at + pieceBytes);
    const kind = random.below(3);
    if (kind === 1) piece.fill(1 + random.below(255));
    if (kind === 2) noise(piece, at + seed);
  }
  return disk;
}

/** The whole disk of an image, read in pieces of odd sizes. */
export async function wholeDisk(image: DiskImage, pieceBytes = 300_007): Promise<Uint8Array> {
  const disk = new Uint8Array(image.sizeBytes);
  for (let at = 0; at < disk.byteLength; at += pieceBytes) {
    await image.read(disk.subarray(at, Math.min(disk.byteLength, at + pieceBytes)), at);
  }
  return disk;
}
