/** What both contenders do: round trips one by one, 64 at a time, and 64 KiB one way. */
import { microsecondsEach } from '../harness/measure.mjs';

export const SMALL_BYTES = 64;
export const LARGE_BYTES = 64 * 1024;
const IN_FLIGHT = 64;

/**
 * `echo()` settles when an answer has come, `stream(count)` when so many large messages have
 * arrived at the other end.
 */
export async function figuresOf({ echo, stream }, settings) {
  const one = async (count) => {
    for (let trip = 0; trip < count; trip++) await echo();
  };
  const many = async (count) => {
    let left = count;
    const lane = async () => {
      while (left-- > 0) await echo();
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  };
  const roundTripUs = await microsecondsEach(one, settings);
  const eachUs = await microsecondsEach(many, settings);
  const largeUs = await microsecondsEach(stream, settings);
  return { roundTripUs, roundTripsPerSecond: 1e6 / eachUs, megabytesPerSecond: LARGE_BYTES / largeUs };
}
