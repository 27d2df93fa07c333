/**
 * The work that every contender of `bulk` does in the same way: a producer copies a payload of its
 * own into each packet, and a consumer reads a byte of each cache line of it, so that the whole
 * packet has really arrived. The number of packets under way is chosen so that they hold the same
 * number of bytes for all contenders.
 */

/** Sizes of packets by their name in figures. */
export const SIZES = { '4K': 4096, '64K': 65_536, '1M': 1024 * 1024 };

const LINE_BYTES = 64;
const UNDER_WAY_BYTES = 2 * 1024 * 1024;
const UNDER_WAY_MINIMUM = 4;
export const UNDER_WAY_MAXIMUM = 256;

/** The number of packets under way at the same time. */
export function windowFor(size) {
  return Math.min(UNDER_WAY_MAXIMUM, Math.max(UNDER_WAY_MINIMUM, UNDER_WAY_BYTES / size));
}

/** The payload that a producer sends. */
export function makePayload(size) {
  return Uint8Array.from({ length: size }, (_, index) => (index * 7 + (index >>> 8)) & 0xff);
}

/** Reads a byte of each cache line; the result is their sum. */
export function readPayload(bytes) {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += LINE_BYTES) sum += bytes[at];
  return sum;
}

/** The result of `readPayload` for `makePayload(size)`. */
export function expectedSum(size) {
  return readPayload(makePayload(size));
}

/**
 * Measures `run(count)`, which moves that many packets of a size, for all sizes; figures in GB/s.
 */
export async function measureSizes(makeRun, microsecondsEach, settings) {
  const figures = {};
  for (const [name, size] of Object.entries(SIZES)) {
    const run = await makeRun(size);
    figures[`gigabytesPerSecond${name}`] = size / 1000 / (await microsecondsEach(run, settings));
  }
  return figures;
}
