/**
 * The operation by which the client's runtime asks a session for its packet streams. No interface
 * can declare it.
 */
import { rpc } from '../interface/interface.ts';
import { OperationPlan } from '../interface/operation.ts';
import { isRecord, ShapeError, type Shape, table } from '../interface/shapes.ts';
import { shapeWith } from '../interface/shape.ts';
import { LIMITS } from '../limits.ts';

/**
 * The end of a stream: an offer at the server, a ticket at the client. Channels translate between
 * them.
 */
const streamEnd: Shape<object> = ((): Shape<object> => {
  const check = (value: unknown, where: string): object => {
    if (isRecord(value)) return value;
    throw new ShapeError(where, 'a packet stream');
  };
  return shapeWith(check, {
    signature: 'stream',
    write: (writer, value, where) => void writer.carry(check(value, where)),
    read: (reader) => reader.carried(),
  });
})();

/** The streams of a session by name. */
export type StreamEnds = Record<string, object>;

/** Asks for the streams of a session; answered once. */
export const OPEN_OPERATION = new OperationPlan(
  'Session',
  '$open',
  rpc<() => StreamEnds>({ args: [], result: table(streamEnd, LIMITS.streamsPerSession) }),
);
