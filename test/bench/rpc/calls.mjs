/**
 * The two ways of calling a remote `echo` function that returns a promise: one at a time, and many
 * in flight.
 */
import { microsecondsEach } from '../harness/measure.mjs';
import { checkReply, makeMessage, WINDOW } from './message.mjs';

const MICROSECONDS = 1e6;

/** Measures one call after the other; `echo(message)` settles with the message that came back. */
export async function measureRoundTrips(echo, settings) {
  const run = async (count) => {
    for (let id = 0; id < count; id++) checkReply(await echo(makeMessage(id)), id);
  };
  return { roundTripUs: await microsecondsEach(run, settings) };
}

/** Measures with a full window of calls in flight. */
export async function measurePipelined(echo, settings) {
  const run = async (count) => {
    let next = 0;
    const lane = async () => {
      while (next < count) {
        const id = next++;
        checkReply(await echo(makeMessage(id)), id);
      }
    };
    await Promise.all(Array.from({ length: WINDOW }, lane));
  };
  return { callsPerSecond: MICROSECONDS / (await microsecondsEach(run, settings)) };
}

/** The measurement that a contender's settings ask for: `pipelined` is 1 or 0. */
export function measureCalls(echo, settings) {
  return settings.pipelined ? measurePipelined(echo, settings) : measureRoundTrips(echo, settings);
}
