/** What the client of the cache benchmark measures: reads of 4 KiB, one and 32 at a time. */
import { microsecondsEach } from '../harness/measure.mjs';

export const BLOCK_BYTES = 4096;
/** Blocks of the device. */
export const DEVICE_BLOCKS = 32_768;
/** Blocks that fit the cache: reads of these are hits. */
const WORKING_BLOCKS = 4096;
/**
 * Of the blocks by the golden ratio: no common divisor with their number, and no two of some reads
 * in a row are neighbours.
 */
const strideOf = (blocks) => 2 * Math.round(blocks * 0.309) + 1;

export const DEPTHS = [1, 32];

/** The numbers of blocks that are read, one after the other. */
function places(wide) {
  let at = 0;
  const blocks = wide ? DEVICE_BLOCKS : WORKING_BLOCKS;
  const stride = strideOf(blocks);
  return () => {
    at = (at + stride) % blocks;
    return at;
  };
}

/** Reads a second at each depth; `wide` goes over the whole device, and else over a small part. */
export async function figuresOf(settings, wide, read) {
  const figures = {};
  for (const depth of DEPTHS) {
    const next = places(wide);
    const run = async (count) => {
      let left = count;
      const lane = async (number) => {
        while (left > 0) {
          left--;
          await read(number, next());
        }
      };
      await Promise.all(Array.from({ length: depth }, (_, number) => lane(number)));
    };
    figures[`x${depth}`] = 1e6 / (await microsecondsEach(run, settings));
  }
  return figures;
}
