/**
 * Numbers of chunks in typed arrays: four bytes each for devices of up to 16 TiB (2^32 chunks of 4
 * KiB), eight for larger ones.
 */
export type ChunkNumbers = Uint32Array | Float64Array;

/** What stands for "no chunk": no device of 2^53 bytes has one of this number. */
const NO_CHUNK_WIDE = -1;
const NO_CHUNK = 2 ** 32 - 1;

/** An array of `length` numbers of chunks of a device with `chunkCount`, all of them "no chunk". */
export function chunkNumbers(length: number, chunkCount: number): ChunkNumbers {
  return chunkCount <= NO_CHUNK
    ? new Uint32Array(length).fill(NO_CHUNK)
    : new Float64Array(length).fill(NO_CHUNK_WIDE);
}

/** The number that stands for "no chunk" in such an array. */
export function noChunkIn(numbers: ChunkNumbers): number {
  return numbers instanceof Uint32Array ? NO_CHUNK : NO_CHUNK_WIDE;
}

/** A longer or shorter copy; what is new in it is "no chunk". */
export function resized(numbers: ChunkNumbers, length: number): ChunkNumbers {
  const copy = numbers instanceof Uint32Array ? new Uint32Array(length) : new Float64Array(length);
  copy.fill(noChunkIn(numbers));
  copy.set(numbers.subarray(0, Math.min(length, numbers.length)));
  return copy;
}

/** 32 bits that depend on every bit of the number of a chunk. */
export function hashOf(chunk: number): number {
  const high = chunk > 0xffff_ffff ? Math.imul(Math.floor(chunk / 2 ** 32), 0x85eb_ca6b) : 0;
  let hash = (chunk | 0) ^ high;
  hash = Math.imul(hash ^ (hash >>> 16), 0x7feb_352d);
  hash = Math.imul(hash ^ (hash >>> 15), 0x846c_a68b);
  return (hash ^ (hash >>> 16)) >>> 0;
}
