/**
 * The message that every contender of `rpc` sends and gets back: a small structure, made anew for
 * each call.
 */

/** The number of calls that wait for their results at the same time, if calls are pipelined. */
export const WINDOW = 256;

/** A message with eight fields. */
export function makeMessage(id) {
  return {
    id,
    name: 'disk-0/partition-1',
    kind: 'write',
    flags: 5,
    urgent: true,
    position: 123_456_789_012,
    size: 65_536,
    values: [1, 2, 3, 5, 8, 13, 21, 34],
  };
}

/** Throws if `reply` is not the echo of `makeMessage(id)`. */
export function checkReply(reply, id) {
  if (reply.id !== id || reply.values.length !== 8 || reply.values[7] !== 34) {
    throw new Error(`message ${id} came back as ${JSON.stringify(reply)}`);
  }
}
